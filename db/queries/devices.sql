-- The registry of devices, their bindings, commands, health and refused input.

-- name: directory_sites
SELECT code, id FROM institutions

-- name: directory
SELECT d.key, d.institution_id, i.code AS site, d.id, d.kind, d.supervision_seconds, d.position
FROM devices d JOIN institutions i ON i.id = d.institution_id WHERE d.retired_at IS NULL

-- name: broker_accounts
SELECT i.code AS site, d.id, d.kind, d.credential_salt
FROM devices d JOIN institutions i ON i.id = d.institution_id WHERE d.retired_at IS NULL ORDER BY d.key

-- name: gateway_children
-- Devices in service that somebody said stand behind a gateway; it speaks and listens for them.
SELECT DISTINCT i.code AS site, g.id AS gateway, d.id AS device
FROM foreign_devices f
JOIN devices g ON g.key = f.gateway_key AND g.retired_at IS NULL
JOIN devices d ON d.key = f.device_key AND d.retired_at IS NULL AND d.institution_id = g.institution_id
JOIN institutions i ON i.id = g.institution_id
WHERE d.key <> g.key ORDER BY 1, 2, 3

-- name: insert
INSERT INTO devices (institution_id, id, kind, model, name, credential_salt, password_hash, credential_rotated_at,
                     supervision_seconds, position, created_at, updated_at)
VALUES (%(institution_id)s, %(id)s, %(kind)s, %(model)s, %(name)s, %(salt)s, %(hash)s, %(now)s,
        %(supervision_seconds)s, %(position)s, %(now)s, %(now)s)
ON CONFLICT (institution_id, id) DO NOTHING RETURNING key

-- name: insert_status
INSERT INTO device_status (device_key, institution_id) VALUES (%(key)s, %(institution_id)s)

-- name: is_active
SELECT retired_at IS NULL AS active FROM devices WHERE key = %(key)s

-- name: get_active
SELECT key, kind FROM devices WHERE id = %(id)s AND retired_at IS NULL

-- name: bind
-- Without a target, the clause also covers the constraint that no two intervals of a device overlap.
INSERT INTO bindings (id, institution_id, device_key, resident_id, room, bound_from)
VALUES (%(id)s, %(institution_id)s, %(key)s, %(resident)s, %(room)s, %(start)s)
ON CONFLICT DO NOTHING RETURNING id

-- name: unbind
-- An interval is never empty: one that ends the moment it began lasts a microsecond.
UPDATE bindings SET bound_to = greatest(%(end)s, bound_from + interval '1 microsecond')
WHERE device_key = %(key)s AND bound_to IS NULL AND bound_from <= %(end)s

-- name: set_credentials
UPDATE devices SET credential_salt = %(salt)s, password_hash = %(hash)s, credential_rotated_at = %(now)s,
    updated_at = %(now)s, version = version + 1
WHERE key = %(key)s

-- name: retire
UPDATE devices SET retired_at = %(now)s, updated_at = %(now)s, version = version + 1
WHERE key = %(key)s AND retired_at IS NULL

-- name: get
SELECT d.key, d.id, d.kind, d.model, d.name, d.supervision_seconds, d.position, d.created_at, d.retired_at,
       d.credential_rotated_at, s.online, s.last_seen, s.last_sample, s.battery, s.rssi, s.firmware,
       b.resident_id, b.room, b.bound_from, s.status_time,
       (SELECT g.id FROM foreign_devices f JOIN devices g ON g.key = f.gateway_key WHERE f.device_key = d.key
        ORDER BY f.gateway_key LIMIT 1) AS gateway
FROM devices d
LEFT JOIN device_status s ON s.device_key = d.key
LEFT JOIN bindings b ON b.device_key = d.key AND b.bound_to IS NULL
WHERE d.id = %(id)s

-- name: list
SELECT d.key, d.id, d.kind, d.model, d.name, d.supervision_seconds, d.position, d.created_at, d.retired_at,
       d.credential_rotated_at, s.online, s.last_seen, s.last_sample, s.battery, s.rssi, s.firmware,
       b.resident_id, b.room, b.bound_from
FROM devices d
LEFT JOIN device_status s ON s.device_key = d.key
LEFT JOIN bindings b ON b.device_key = d.key AND b.bound_to IS NULL
WHERE d.key > %(after)s
  AND (%(kind)s::text IS NULL OR d.kind = %(kind)s)
  AND (%(resident)s::uuid IS NULL OR b.resident_id = %(resident)s)
  AND (%(retired)s OR d.retired_at IS NULL)
  AND (%(q)s::text IS NULL OR strpos(lower(d.id || ' ' || d.name || ' ' || d.model), lower(%(q)s)) > 0)
ORDER BY d.key LIMIT %(limit)s

-- name: watch
-- Every device in service of one institution, as an operator looks at them.
SELECT d.id, d.kind, d.model, d.supervision_seconds, s.last_sample, s.battery, b.bound_from,
       (SELECT g.id FROM foreign_devices f JOIN devices g ON g.key = f.gateway_key WHERE f.device_key = d.key
        ORDER BY f.gateway_key LIMIT 1) AS gateway
FROM devices d
LEFT JOIN device_status s ON s.device_key = d.key
LEFT JOIN bindings b ON b.device_key = d.key AND b.bound_to IS NULL
WHERE d.institution_id = %(institution)s AND d.retired_at IS NULL AND (%(kind)s::text IS NULL OR d.kind = %(kind)s)
ORDER BY d.key

-- name: metric_times
SELECT metric, time, received FROM tenant_latest WHERE device_key = %(key)s ORDER BY metric

-- name: children
-- What speaks through a gateway.
SELECT DISTINCT d.id FROM foreign_devices f JOIN devices d ON d.key = f.device_key
WHERE f.gateway_key = %(key)s AND d.retired_at IS NULL ORDER BY d.id

-- name: battery
SELECT l.value, l.time FROM tenant_latest l JOIN metrics m ON m.id = l.metric
WHERE l.device_key = %(key)s AND m.code = 'battery'

-- name: battery_days
-- The level of each day, as it was at its lowest.
SELECT r.bucket AS day, r.min AS level FROM readings_1d r JOIN metrics m ON m.id = r.metric
WHERE r.device_key = %(key)s AND m.code = 'battery' AND r.bucket > %(since)s ORDER BY r.bucket

-- name: request_command
WITH told AS (SELECT pg_notify('anhu_command', ''))
INSERT INTO device_commands (id, institution_id, device_key, type, args, requested_by, requested_at, expires_at)
SELECT %(id)s, %(institution_id)s, %(key)s, %(type)s, %(args)s::jsonb, %(user)s::uuid, %(now)s, %(expires)s FROM told

-- name: take_commands
SELECT c.id, c.device_key, i.code AS site, d.id AS device, c.type, c.args, c.expires_at
FROM device_commands c
JOIN devices d ON d.key = c.device_key
JOIN institutions i ON i.id = c.institution_id
WHERE c.state = 'requested' AND c.expires_at > %(now)s
ORDER BY c.requested_at, c.id LIMIT %(limit)s FOR UPDATE OF c SKIP LOCKED

-- name: mark_commands_sent
UPDATE device_commands SET state = 'sent', sent_at = %(now)s WHERE id = ANY (%(ids)s::uuid[]) AND state = 'requested'

-- name: answer_command
UPDATE device_commands SET state = %(state)s, answered_at = %(now)s, result = %(result)s
WHERE id = %(id)s AND device_key = %(key)s AND state IN ('requested', 'sent')

-- name: expire_commands
UPDATE device_commands SET state = 'expired' WHERE state IN ('requested', 'sent') AND expires_at <= %(now)s

-- name: list_commands
SELECT id, type, args, state, requested_at, expires_at, sent_at, answered_at, result
FROM device_commands
WHERE device_key = %(key)s
  AND (%(before)s::timestamptz IS NULL OR (requested_at, id) < (%(before)s, %(before_id)s::uuid))
ORDER BY requested_at DESC, id DESC LIMIT %(limit)s

-- name: get_command
SELECT id, type, args, state, requested_at, expires_at, sent_at, answered_at, result
FROM device_commands WHERE id = %(id)s

-- name: list_rejections
SELECT id, site, device, topic, payload, payload_bytes > octet_length(payload) AS clipped, reason, detail, received,
       replayed_at
FROM rejections
WHERE (%(before)s::bigint IS NULL OR id < %(before)s)
  AND (%(device)s::text IS NULL OR device = %(device)s)
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
ORDER BY id DESC LIMIT %(limit)s

-- name: replay_rejections
-- Once each, oldest first, whole messages of native channels only; a press of yesterday only when asked for by name.
WITH waiting AS (
    SELECT id FROM rejections
    WHERE replayed_at IS NULL AND payload_bytes = octet_length(payload)
      AND topic ~ '^anhu/v1/[^/]+/[^/]+/(telemetry|event|status|motion)$'
      AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
      AND (%(device)s::text IS NULL OR device = %(device)s)
      AND (%(reason)s::text IS NULL OR reason = %(reason)s)
      AND (%(events)s OR topic NOT LIKE '%%/event')
    ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
chosen AS (
    UPDATE rejections r SET replayed_at = %(now)s FROM waiting w WHERE r.id = w.id
    RETURNING r.id, r.institution_id, r.site, r.device, r.topic, r.payload, r.received),
new AS (
    INSERT INTO ingest_inbox (institution_id, site, device, channel, payload, received)
    SELECT institution_id, site, device, split_part(topic, '/', 5), payload, received FROM chosen ORDER BY id
    RETURNING 1)
SELECT count(*) AS n, pg_notify('anhu_inbox', '') FROM new
