-- Checks of safety devices: what is due, what was done, and announced drills.

-- name: due
-- Devices in service that serve somebody or a room, with when their next check is due: an interval after the last
-- passed one, else after they began to serve.
SELECT d.key, d.institution_id, d.id, d.kind, d.model, d.name, b.resident_id, b.room,
       place_text(r.building, r.floor, r.room, r.address) AS resident_place, n.days,
       p.done_at AS last_passed_at, l.done_at AS last_done_at, l.result AS last_result, l.how AS last_how, w.due_at
FROM devices d
JOIN bindings b ON b.device_key = d.key AND b.bound_to IS NULL
LEFT JOIN residents r ON r.id = b.resident_id
LEFT JOIN LATERAL (SELECT c.done_at, c.result, c.how FROM device_checks c WHERE c.device_key = d.key
                   ORDER BY c.done_at DESC, c.id DESC LIMIT 1) l ON true
LEFT JOIN LATERAL (SELECT max(c.done_at) AS done_at FROM device_checks c
                   WHERE c.device_key = d.key AND c.result = 'passed') p ON true
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT i.days FROM check_intervals i
                     WHERE i.institution_id = d.institution_id AND i.kind = d.kind AND i.model IN (d.model, '')
                     ORDER BY i.model = '' LIMIT 1), %(days)s)::integer AS days) n
CROSS JOIN LATERAL (
    SELECT coalesce(p.done_at, greatest(b.bound_from, d.created_at)) + make_interval(days => n.days) AS due_at) w
WHERE d.retired_at IS NULL AND d.kind = ANY (%(kinds)s::text[])
  AND (%(key)s::integer IS NULL OR d.key = %(key)s)
  AND d.key > %(after)s
  AND (%(due_before)s::timestamptz IS NULL OR w.due_at < %(due_before)s)
ORDER BY d.key LIMIT %(limit)s

-- name: record
-- An event ticks once, however often it is handled.
INSERT INTO device_checks (id, institution_id, device_key, due_at, done_at, how, result, done_by, event_id, note)
VALUES (%(id)s, %(institution_id)s, %(device_key)s, %(due_at)s, %(done_at)s, %(how)s, %(result)s, %(done_by)s,
        %(event_id)s, %(note)s)
ON CONFLICT (device_key, event_id) DO NOTHING

-- name: history
SELECT c.id, c.due_at, c.done_at, c.how, c.result, c.note, u.name AS done_by
FROM device_checks c LEFT JOIN users u ON u.id = c.done_by
WHERE c.device_key = %(key)s
  AND (%(before)s::timestamptz IS NULL OR (c.done_at, c.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY c.done_at DESC, c.id DESC LIMIT %(limit)s

-- name: set_interval
INSERT INTO check_intervals (institution_id, kind, model, days, updated_at)
VALUES (%(tenant)s, %(kind)s, %(model)s, %(days)s, %(now)s)
ON CONFLICT (institution_id, kind, model) DO UPDATE SET days = excluded.days, updated_at = excluded.updated_at

-- name: announce
INSERT INTO device_drills (id, institution_id, device_key, opens_at, closes_at, announced_by, note)
VALUES (%(id)s, %(tenant)s, %(key)s, %(opens)s, %(closes)s, %(user)s, %(note)s)

-- name: end_drills
-- A device has one window at a time: a new one takes the place of what was announced before.
UPDATE device_drills SET closes_at = greatest(%(now)s, opens_at + interval '1 microsecond')
WHERE device_key = %(key)s AND used_at IS NULL AND closes_at > %(now)s

-- name: take_drill
-- The window that an emergency event falls into, and whoever takes it has it. A press that only arrives in it and is
-- older than the announcement is no drill.
UPDATE device_drills SET used_at = %(now)s, event_id = %(event_id)s
WHERE id = (SELECT id FROM device_drills
            WHERE device_key = %(device_key)s AND used_at IS NULL AND opens_at <= %(received)s
              AND closes_at > %(received)s AND %(time)s >= opens_at - interval '1 minute'
            ORDER BY opens_at DESC LIMIT 1 FOR UPDATE)
RETURNING id, announced_by

-- name: open_overdue
-- Devices whose overdue check is told already, by an open alert or as one that a silence holds back.
SELECT device_key, institution_id FROM alerts WHERE type = 'check_overdue' AND state <> 'resolved'
UNION
SELECT device_key, institution_id FROM alert_suppressions
WHERE type = 'check_overdue' AND cleared_at IS NULL AND released_at IS NULL
