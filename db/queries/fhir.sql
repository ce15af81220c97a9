-- What FHIR searches ask for.

-- name: observations
-- Newest first; each binding looks up its own interval, as in readings.sql.
SELECT r.metric, r.time, r.value, r.flags, d.id AS device
FROM bindings b JOIN devices d ON d.key = b.device_key
CROSS JOIN LATERAL (
    SELECT metric, time, value, flags FROM tenant_readings
    WHERE device_key = b.device_key AND metric = ANY (%(metrics)s::smallint[])
      AND time >= %(start)s AND time < %(end)s
      AND time >= b.bound_from AND time < coalesce(b.bound_to, 'infinity')
    ORDER BY time DESC LIMIT %(limit)s OFFSET 0
) r
WHERE b.resident_id = %(resident)s AND b.bound_from < %(end)s AND coalesce(b.bound_to, 'infinity') > %(start)s
ORDER BY r.time DESC, d.id, r.metric LIMIT %(limit)s

-- name: flags
SELECT id, resident_id, type, state, outcome, opened_at, resolved_at FROM alerts
WHERE resident_id = %(resident)s AND (%(before)s::timestamptz IS NULL OR (opened_at, id) < (%(before)s, %(before_id)s::uuid))
  AND (%(states)s::text[] IS NULL OR state = ANY (%(states)s::text[]))
ORDER BY opened_at DESC, id DESC LIMIT %(limit)s
