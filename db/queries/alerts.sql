-- Alerts and their timeline. The stream row of an institution is locked before anything else of its alerts, so that
-- two writers can never wait for each other in a circle.

-- name: lock_stream
SELECT last_seq FROM institution_streams WHERE institution_id = %(institution_id)s FOR UPDATE

-- name: add_entry
WITH head AS (
    UPDATE institution_streams SET last_seq = last_seq + 1 WHERE institution_id = %(institution_id)s
    RETURNING last_seq
), told AS (SELECT pg_notify('anhu_alert', %(institution_id)s::uuid::text))
INSERT INTO alert_entries (institution_id, seq, alert_id, at, kind, actor_id, actor, note, data)
SELECT %(institution_id)s, head.last_seq, %(alert_id)s, %(at)s, %(kind)s, %(actor_id)s, %(actor)s, %(note)s, %(data)s
FROM head, told
RETURNING seq

-- name: open
-- The partial unique index decides who was first; the loser appends.
INSERT INTO alerts (id, institution_id, resident_id, device_key, place, type, severity, source, score, evidence, plan,
                    occurred_at, opened_at, deadline_at, last_occurred_at)
VALUES (%(id)s, %(institution_id)s, %(resident_id)s, %(device_key)s, %(place)s, %(type)s, %(severity)s, %(source)s,
        %(score)s, %(evidence)s, %(plan)s, %(occurred_at)s, %(opened_at)s, %(deadline_at)s, %(occurred_at)s)
ON CONFLICT (institution_id, subject, type) WHERE state <> 'resolved' DO NOTHING
RETURNING *

-- name: lock_current
SELECT * FROM alerts
WHERE institution_id = %(institution_id)s AND subject = %(subject)s AND type = %(type)s AND state <> 'resolved'
FOR UPDATE

-- name: institution_of
SELECT institution_id FROM alerts WHERE id = %(id)s

-- name: lock
SELECT * FROM alerts WHERE id = %(id)s FOR UPDATE

-- name: save
-- Compare and set: no row comes back where somebody else wrote first.
UPDATE alerts SET state = %(state)s, severity = %(severity)s, evidence = %(evidence)s, plan = %(plan)s,
    acknowledged_at = %(acknowledged_at)s, acknowledged_by = %(acknowledged_by)s,
    on_site_at = %(on_site_at)s, on_site_by = %(on_site_by)s,
    resolved_at = %(resolved_at)s, resolved_by = %(resolved_by)s, outcome = %(outcome)s,
    cleared_at = %(cleared_at)s, deadline_at = %(deadline_at)s, occurrences = %(occurrences)s,
    last_occurred_at = %(last_occurred_at)s, score = %(score)s, version = version + 1
WHERE id = %(id)s AND version = %(version)s
RETURNING *

-- name: open_of_subject
-- The unresolved alerts that a `restore` may mean: of a named type, else those that this device raised.
SELECT id, institution_id, type, resident_id FROM alerts
WHERE institution_id = %(institution_id)s AND state <> 'resolved'
  AND CASE WHEN %(type)s::text IS NOT NULL THEN subject = ANY(%(subjects)s) AND type = %(type)s
           ELSE device_key = %(device_key)s END
ORDER BY opened_at

-- name: subject_at
-- Whom a device served at a time, and where.
SELECT d.key AS device_key, d.institution_id, d.id AS device_id, d.name AS device_name, b.room,
       (SELECT i.name_zh FROM institutions i WHERE i.id = d.institution_id) AS institution_name,
       r.id AS resident_id, place_text(r.building, r.floor, r.room, r.address) AS resident_place
FROM devices d
LEFT JOIN bindings b ON b.device_key = d.key AND b.bound_from <= %(at)s AND (b.bound_to IS NULL OR b.bound_to > %(at)s)
LEFT JOIN residents r ON r.id = b.resident_id
WHERE d.key = %(device_key)s

-- name: context
-- What a message to a person says: names, not numbers.
SELECT i.name_zh AS institution_zh, i.phone AS institution_phone, i.timezone, r.name AS resident_name, r.access_notes,
       d.id AS device_id, d.name AS device_name, d.kind AS device_kind
FROM alerts a
JOIN institutions i ON i.id = a.institution_id
LEFT JOIN residents r ON r.id = a.resident_id
LEFT JOIN devices d ON d.key = a.device_key
WHERE a.id = %(id)s

-- name: overdue
-- Alerts past a deadline that nobody has been told about; one word for each deadline.
SELECT a.id, a.institution_id FROM alerts a
WHERE a.state <> 'resolved' AND a.deadline_at < %(now)s
  AND NOT EXISTS (SELECT FROM alert_entries e WHERE e.alert_id = a.id AND e.kind = 'overdue'
                  AND e.data ->> 'deadline_at' = to_char(a.deadline_at, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
ORDER BY a.deadline_at LIMIT 200

-- name: told_overdue
SELECT count(*) AS n FROM alert_entries
WHERE alert_id = %(alert_id)s AND kind = 'overdue' AND data ->> 'deadline_at' = %(deadline_at)s

-- name: told_stuck
SELECT count(*) AS n FROM alert_entries
WHERE alert_id = %(alert_id)s AND kind = 'stuck' AND data ->> 'step_id' = %(step_id)s

-- name: open_raised_by
-- The open alert to which a device belongs, whomever it serves by now.
SELECT resident_id FROM alerts
WHERE institution_id = %(institution_id)s AND type = %(type)s AND state <> 'resolved'
  AND evidence -> 'raised_by' @> to_jsonb(%(device_key)s::integer)
ORDER BY opened_at LIMIT 1

-- name: events_take
-- One waiting event that may concern a person, oldest first; nobody else gets it while this transaction lives.
SELECT device_key, event_id, institution_id, time, received, type, data, flags FROM events
WHERE handled_at IS NULL AND type = ANY(%(types)s) AND (device_key::text || ':' || event_id) <> ALL(%(skip)s)
ORDER BY received, device_key, event_id LIMIT 1 FOR UPDATE SKIP LOCKED

-- name: events_handled
UPDATE events SET handled_at = %(now)s WHERE device_key = %(device_key)s AND event_id = %(event_id)s

-- name: events_handle_routine
-- Everything that opens nothing by itself, in one go, so that it never stands before an emergency.
UPDATE events SET handled_at = %(now)s
WHERE (device_key, event_id) IN (
    SELECT device_key, event_id FROM events WHERE handled_at IS NULL AND type <> ALL(%(types)s)
    ORDER BY received LIMIT 1000 FOR UPDATE SKIP LOCKED)

-- name: watched_devices
-- Only a device in service that is bound to a person or a room now is missed when it falls silent. `site_key` stands for
-- the house: the key of its first device, which never goes; `gateway_key` for what the device speaks through.
SELECT d.key, d.institution_id, d.name, d.supervision_seconds, d.position, d.created_at, d.kind, d.model,
       CASE WHEN d.retired_at IS NULL THEN b.bound_from END AS bound_from, s.last_sample, s.last_seen, s.online,
       s.status_time, s.battery, min(d.key) OVER (PARTITION BY d.institution_id) AS site_key,
       (SELECT min(f.gateway_key) FROM foreign_devices f WHERE f.device_key = d.key) AS gateway_key
FROM devices d LEFT JOIN device_status s ON s.device_key = d.key
LEFT JOIN bindings b ON b.device_key = d.key AND b.bound_from <= %(now)s AND (b.bound_to IS NULL OR b.bound_to > %(now)s)
ORDER BY d.key

-- name: sensor_times
-- When each sensor of a device in service was last sampled, by the time of receipt.
SELECT l.device_key, l.metric, extract(epoch FROM l.received)::float8 AS received
FROM latest l JOIN bindings b ON b.device_key = l.device_key AND b.bound_from <= %(now)s
     AND (b.bound_to IS NULL OR b.bound_to > %(now)s)
WHERE l.metric = ANY (%(metrics)s)

-- name: ingest_life
-- The newest sign of life of an ingest that has its broker; whether there ever was one, and whether its lack was told.
SELECT max(at) FILTER (WHERE coalesce(detail ->> 'broker', 'true') = 'true') AS at, count(*) > 0 AS known,
       EXISTS (SELECT FROM alerts WHERE type = 'ingest_down' AND state <> 'resolved') AS told
FROM heartbeats WHERE role = 'ingest'

-- name: institutions_without
-- Institutions with a device in service and no open alert of this type.
SELECT i.id AS institution_id, i.name_zh FROM institutions i
WHERE EXISTS (SELECT FROM bindings b WHERE b.institution_id = i.id AND b.bound_to IS NULL)
  AND NOT EXISTS (SELECT FROM alerts a WHERE a.institution_id = i.id AND a.type = %(type)s AND a.state <> 'resolved')
ORDER BY i.id

-- name: institutions_with
SELECT i.id AS institution_id, i.name_zh FROM institutions i
WHERE EXISTS (SELECT FROM alerts a WHERE a.institution_id = i.id AND a.type = %(type)s AND a.state <> 'resolved')
ORDER BY i.id

-- name: takeovers
-- Devices whose connections ended within seconds of their beginning, again and again: somebody else has their id.
WITH steps AS (
    SELECT device_key, institution_id, at, online, seq, lag(told) OVER w AS begun, lag(online) OVER w AS was
    FROM device_transitions WHERE at > %(since)s
    WINDOW w AS (PARTITION BY device_key ORDER BY at, id))
SELECT t.device_key, t.institution_id, d.id AS device_id, d.name AS device_name, count(*) AS times, min(t.at) AS first,
       max(t.at) AS last, array_agg(t.seq ORDER BY t.at) AS seqs
FROM steps t JOIN devices d ON d.key = t.device_key
WHERE NOT t.online AND t.was
  AND t.at - t.begun BETWEEN interval '-1 minute' AND make_interval(secs => %(online)s::float8)
GROUP BY t.device_key, t.institution_id, d.id, d.name HAVING count(*) >= %(times)s
ORDER BY t.institution_id, t.device_key

-- name: takeovers_open
-- Open alerts of this type, and whether the device's connections still come and go.
SELECT a.device_key, a.institution_id, d.id AS device_id, d.name AS device_name,
       EXISTS (SELECT FROM device_transitions t
               WHERE t.device_key = a.device_key AND NOT t.online AND t.at > %(since)s) AS going_on
FROM alerts a JOIN devices d ON d.key = a.device_key
WHERE a.type = 'takeover_suspected' AND a.state <> 'resolved' ORDER BY a.institution_id, a.device_key

-- name: bindings
SELECT b.device_key, b.bound_from, b.bound_to, r.key AS resident_key
FROM bindings b JOIN residents r ON r.id = b.resident_id
WHERE b.bound_to IS NULL OR b.bound_to > %(since)s
ORDER BY b.device_key, b.bound_from

-- name: vital_limits
SELECT r.key AS resident_key, l.metric, l.low, l.high, l.low_critical, l.high_critical
FROM vital_limits l JOIN residents r ON r.id = l.resident_id
WHERE l.valid_from <= %(now)s AND (l.valid_to IS NULL OR l.valid_to > %(now)s)
ORDER BY l.valid_from

-- name: motion_windows
SELECT m.device_key, extract(epoch FROM m.time)::float8 AS t0, m.hz, m.scale, m.counts
FROM unnest(%(device_keys)s::integer[], %(times)s::timestamptz[]) AS w (device_key, time)
JOIN motion_windows m ON m.device_key = w.device_key AND m.time = w.time

-- name: lead_detectors
SELECT pg_try_advisory_lock(hashtext('anhu detectors')) AS leading

-- name: still_leading
SELECT 1 AS here

-- name: lock_follower
SELECT seq, checkpoint_seq FROM feed_followers WHERE name = %(name)s FOR UPDATE

-- name: heartbeat
INSERT INTO heartbeats (role, instance, at, detail) VALUES (%(role)s, %(instance)s, %(now)s, %(detail)s)
ON CONFLICT (role, instance) DO UPDATE SET at = excluded.at, detail = excluded.detail

-- name: alive
SELECT DISTINCT role FROM heartbeats WHERE at >= %(since)s

-- name: late_work
-- What the emergency way should have done by now: events, steps, first attempts of pages.
SELECT (SELECT count(*) FROM events WHERE handled_at IS NULL AND type = ANY(%(types)s) AND received < %(before)s) AS events,
       (SELECT count(*) FROM escalation_steps s JOIN alerts a ON a.id = s.alert_id
        WHERE s.state = 'pending' AND a.state = 'open' AND s.due_at < %(before)s) AS steps,
       (SELECT count(*) FROM outbox WHERE state = 'pending' AND attempts = 0 AND next_attempt_at < %(before)s) AS pages

-- name: latest_vitals
-- What was last measured, to begin with where there is no memory yet.
SELECT device_key, metric, extract(epoch FROM time)::float8 AS time, value FROM latest
WHERE time > %(since)s AND metric = ANY(%(metrics)s)
ORDER BY time

-- name: places
-- Where a finding belongs: residents by their key.
SELECT r.key, r.id, r.institution_id, place_text(r.building, r.floor, r.room, r.address) AS place
FROM residents r WHERE r.key = ANY(%(keys)s)
