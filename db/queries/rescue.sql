-- Incidents and the alerts that they follow.

-- name: alert
SELECT id, type, severity, occurred_at FROM alerts WHERE id = %(alert)s AND resident_id = %(resident)s

-- name: without_incident
-- Emergencies of people that have no incident yet, oldest first.
SELECT a.id, a.institution_id, a.resident_id, a.type, a.severity, a.occurred_at, a.place FROM alerts a
WHERE a.severity = 'critical' AND a.resident_id IS NOT NULL AND a.opened_at >= %(since)s
  AND a.outcome IS DISTINCT FROM 'test'
  AND NOT EXISTS (SELECT FROM service_records r WHERE r.institution_id = a.institution_id AND r.service = 'rescue'
                  AND r.kind = 'incident' AND r.detail ->> 'alert_id' = a.id::text)
ORDER BY a.opened_at LIMIT %(limit)s

-- name: behind_alert
-- Incidents whose alert has gone further than they have.
SELECT r.id, r.institution_id, r.state AS record_state, a.state AS alert_state, coalesce(a.outcome, '') AS outcome
FROM service_records r JOIN alerts a ON a.id = (r.detail ->> 'alert_id')::uuid
WHERE r.service = 'rescue' AND r.kind = 'incident' AND NOT r.final
  AND ((a.state = 'acknowledged' AND r.state = 'triggered')
       OR (a.state = 'on_site' AND r.state IN ('triggered', 'claimed', 'assessed', 'dispatched'))
       OR (a.state = 'resolved' AND r.state IN ('triggered', 'claimed', 'assessed', 'dispatched', 'on_site')))
ORDER BY r.created_at LIMIT %(limit)s
FOR UPDATE OF r SKIP LOCKED
