-- What the HTTP side reads of alerts. `family` is NULL for staff; for a family account it bounds everything to the
-- residents who have consented to alerts being shown to it, at the moment of reading.

-- name: list
-- With who answered last and the step that runs next, so that a queue needs no second look at each.
SELECT a.*, r.name AS resident_name, d.id AS device_id, d.name AS device_name, d.kind AS device_kind,
       e.kind AS response_kind, e.actor AS response_name, e.data ->> 'role' AS response_role, e.at AS response_since,
       n.position AS next_position, n.whom AS next_whom, n.due_at AS next_due_at
FROM alerts a LEFT JOIN residents r ON r.id = a.resident_id LEFT JOIN devices d ON d.key = a.device_key
LEFT JOIN LATERAL (
    SELECT kind, actor, data, at FROM alert_entries
    WHERE alert_id = a.id AND kind IN ('acknowledged', 'arrived') ORDER BY seq DESC LIMIT 1
) e ON a.state <> 'open'
LEFT JOIN LATERAL (
    SELECT position, whom, due_at FROM escalation_steps
    WHERE alert_id = a.id AND state = 'pending' ORDER BY due_at, position LIMIT 1
) n ON a.state = 'open'
WHERE (%(states)s::text[] IS NULL OR a.state = ANY (%(states)s::text[]))
  AND (%(severities)s::text[] IS NULL OR a.severity = ANY (%(severities)s::text[]))
  AND (%(resident)s::uuid IS NULL OR a.resident_id = %(resident)s)
  AND (%(family)s::uuid IS NULL OR EXISTS (SELECT FROM consents c WHERE c.resident_id = a.resident_id
       AND c.user_id = %(family)s AND c.scope = 'alerts' AND c.withdrawn_at IS NULL))
  AND (%(before)s::timestamptz IS NULL OR (a.opened_at, a.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY a.opened_at DESC, a.id DESC LIMIT %(limit)s

-- name: get
SELECT a.*, r.name AS resident_name, r.phone AS resident_phone, r.building, r.floor, r.room, r.access_notes,
       d.id AS device_id, d.name AS device_name, d.kind AS device_kind,
       ack.name AS acknowledged_name, site.name AS on_site_name, done.name AS resolved_name
FROM alerts a LEFT JOIN residents r ON r.id = a.resident_id LEFT JOIN devices d ON d.key = a.device_key
LEFT JOIN users ack ON ack.id = a.acknowledged_by LEFT JOIN users site ON site.id = a.on_site_by
LEFT JOIN users done ON done.id = a.resolved_by
WHERE a.id = %(id)s
  AND (%(family)s::uuid IS NULL OR EXISTS (SELECT FROM consents c WHERE c.resident_id = a.resident_id
       AND c.user_id = %(family)s AND c.scope = 'alerts' AND c.withdrawn_at IS NULL))

-- name: timeline
SELECT seq, at, kind, actor_id, actor, note, data FROM alert_entries WHERE alert_id = %(alert_id)s ORDER BY seq

-- name: stream_after
-- Entries of the institution after a number, with what a listener needs to know of their alerts.
SELECT e.seq, e.at, e.kind, e.alert_id, e.actor, e.note, a.type, a.severity, a.state, a.resident_id, a.place
FROM alert_entries e JOIN alerts a ON a.id = e.alert_id
WHERE e.seq > %(seq)s ORDER BY e.seq LIMIT %(limit)s

-- name: stream_head
SELECT last_seq AS seq FROM institution_streams WHERE institution_id = %(institution_id)s

-- name: consented
SELECT resident_id FROM consents WHERE user_id = %(family)s AND scope = 'alerts' AND withdrawn_at IS NULL

-- name: consenting
-- For many listeners at once.
SELECT user_id, resident_id FROM consents
WHERE user_id = ANY (%(families)s::uuid[]) AND resident_id = ANY (%(residents)s::uuid[])
  AND scope = 'alerts' AND withdrawn_at IS NULL

-- name: motion
-- The accelerometer windows of an alert's device around the time it tells of.
SELECT m.time, m.hz, m.scale, m.counts FROM alerts a
CROSS JOIN LATERAL (
    SELECT time, hz, scale, counts FROM tenant_motion_windows
    WHERE device_key = a.device_key AND time > a.occurred_at - interval '2 minutes'
      AND time < a.occurred_at + interval '30 seconds'
    ORDER BY time LIMIT 20
) m
WHERE a.id = %(id)s ORDER BY m.time
