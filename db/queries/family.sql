-- What one family account sees of its people at a glance.

-- name: residents
-- Who has consented to this account, with what it is to them (the first contact under the account).
SELECT r.id, r.name, r.sex, r.status, r.building, r.floor, r.room, s.scopes, c.id AS contact_id, c.relation,
       c.quiet_from, c.quiet_to, c.zone, c.wants_updates
FROM residents r
JOIN LATERAL (
    SELECT array_agg(scope ORDER BY scope) AS scopes FROM consents
    WHERE resident_id = r.id AND user_id = %(user)s AND withdrawn_at IS NULL
) s ON s.scopes IS NOT NULL
LEFT JOIN LATERAL (
    SELECT id, relation, quiet_from, quiet_to, zone, wants_updates FROM contacts
    WHERE resident_id = r.id AND user_id = %(user)s ORDER BY position LIMIT 1
) c ON true
ORDER BY r.created_at, r.id LIMIT %(limit)s

-- name: alerts_of_today
-- What is not over, and what was opened since the day began, each with who answered last.
SELECT a.id, a.type, a.severity, a.state, a.opened_at, a.resolved_at, a.outcome, a.evidence,
       e.actor, e.at AS answered_at, e.kind AS answer, e.data ->> 'role' AS actor_role
FROM alerts a
LEFT JOIN LATERAL (
    SELECT actor, at, kind, data FROM alert_entries
    WHERE alert_id = a.id AND kind IN ('acknowledged', 'arrived') ORDER BY seq DESC LIMIT 1
) e ON true
WHERE a.resident_id = %(resident)s AND (a.state <> 'resolved' OR a.opened_at >= %(since)s)
ORDER BY a.opened_at DESC, a.id DESC LIMIT %(limit)s
