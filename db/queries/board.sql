-- The board: all residents of a tenant at once. Devices and readings are those of the bindings that hold now; each
-- binding looks up its own rows (LATERAL, kept apart by OFFSET 0), as in readings.sql.

-- name: residents
-- Everybody who lives here, by place.
SELECT id, name, building, floor, room, status, care_level FROM residents
WHERE status NOT IN ('discharged', 'deceased')
  AND (%(after)s::text[] IS NULL
       OR (building COLLATE "C", floor COLLATE "C", room COLLATE "C", id)
          > ((%(after)s::text[])[1], (%(after)s::text[])[2], (%(after)s::text[])[3], ((%(after)s::text[])[4])::uuid))
ORDER BY building COLLATE "C", floor COLLATE "C", room COLLATE "C", id LIMIT %(limit)s

-- name: latest
-- The newest value of each metric of each resident, and what measured it.
SELECT DISTINCT ON (b.resident_id, l.metric) b.resident_id, l.metric, l.time, l.value, d.kind, d.name, b.room
FROM bindings b
JOIN devices d ON d.key = b.device_key
CROSS JOIN LATERAL (
    SELECT metric, time, value FROM tenant_latest
    WHERE device_key = b.device_key AND metric = ANY (%(metrics)s::smallint[]) AND time >= b.bound_from
    OFFSET 0
) l
WHERE b.resident_id = ANY (%(residents)s::uuid[]) AND b.bound_from <= %(now)s
  AND (b.bound_to IS NULL OR b.bound_to > %(now)s)
ORDER BY b.resident_id, l.metric, l.time DESC

-- name: trends
SELECT b.resident_id, r.metric, date_bin(%(width)s, r.bucket, %(start)s) AS t, sum(r.sum) / sum(r.count) AS avg
FROM bindings b
CROSS JOIN LATERAL (
    SELECT metric, bucket, count, sum FROM readings_5m
    WHERE device_key = b.device_key AND metric = ANY (%(metrics)s::smallint[])
      AND bucket >= greatest(%(start)s, b.bound_from)
    OFFSET 0
) r
WHERE b.resident_id = ANY (%(residents)s::uuid[]) AND b.bound_from <= %(now)s
  AND (b.bound_to IS NULL OR b.bound_to > %(now)s)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3

-- name: devices
-- Every device that serves one of these residents now, with what was last heard of it.
SELECT b.resident_id, d.key, d.id, d.kind, d.name, d.supervision_seconds, d.retired_at, b.bound_from, s.last_sample,
       s.online, s.battery
FROM bindings b JOIN devices d ON d.key = b.device_key LEFT JOIN device_status s ON s.device_key = d.key
WHERE b.resident_id = ANY (%(residents)s::uuid[]) AND b.bound_from <= %(now)s
  AND (b.bound_to IS NULL OR b.bound_to > %(now)s)
ORDER BY b.resident_id, d.kind, d.id

-- name: away
-- The absences that count now.
SELECT resident_id, kind, begins_at, until FROM resident_away
WHERE resident_id = ANY (%(residents)s::uuid[]) AND ended_at IS NULL AND begins_at <= %(now)s AND until > %(now)s

-- name: alerts
SELECT id, resident_id, type, severity, state, opened_at, occurrences, evidence -> 'test' = 'true'::jsonb AS test
FROM alerts WHERE resident_id = ANY (%(residents)s::uuid[]) AND state <> 'resolved' ORDER BY opened_at, id
