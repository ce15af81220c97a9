-- Follow-up of alerts by the health service.

-- name: alert_of
SELECT id FROM alerts WHERE id = %(alert)s AND resident_id = %(resident)s
