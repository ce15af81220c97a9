-- What a referral tells of a resident.

-- name: recent_alerts
SELECT type, occurred_at, outcome FROM alerts
WHERE resident_id = %(resident)s AND occurred_at >= %(since)s
  AND (outcome IS NULL OR outcome NOT IN ('false_alarm', 'test'))
ORDER BY occurred_at DESC LIMIT 50
