-- A resident's readings: those of the devices that served the resident at the time of the reading.

-- name: latest
SELECT DISTINCT ON (l.metric) l.metric, l.time, l.value, l.flags, d.id AS device
FROM bindings b
JOIN devices d ON d.key = b.device_key
JOIN tenant_latest l ON l.device_key = b.device_key
    AND l.time >= b.bound_from AND (b.bound_to IS NULL OR l.time < b.bound_to)
WHERE b.resident_id = %(resident)s AND l.metric = ANY (%(metrics)s::smallint[])
ORDER BY l.metric, l.time DESC

-- name: latest_before_unbinding
-- A device that has moved on holds newer values of somebody else: then the last value of this resident's interval.
SELECT DISTINCT ON (l.metric) l.metric, r.time, r.value, r.flags, d.id AS device
FROM bindings b
JOIN devices d ON d.key = b.device_key
JOIN tenant_latest l ON l.device_key = b.device_key AND l.time >= b.bound_to
CROSS JOIN LATERAL (
    SELECT time, value, flags FROM tenant_readings
    WHERE device_key = l.device_key AND metric = l.metric
      AND time >= greatest(b.bound_from, %(since)s) AND time < b.bound_to
    ORDER BY time DESC LIMIT 1
) r
WHERE b.resident_id = %(resident)s AND b.bound_to > %(since)s AND l.metric = ANY (%(metrics)s::smallint[])
ORDER BY l.metric, r.time DESC

-- name: raw
SELECT r.time AS t, r.value AS avg, r.value AS min, r.value AS max, 1 AS count
FROM bindings b
JOIN tenant_readings r ON r.device_key = b.device_key AND r.metric = %(metric)s
    AND r.time >= %(start)s AND r.time < %(end)s
    AND r.time >= b.bound_from AND (b.bound_to IS NULL OR r.time < b.bound_to)
WHERE b.resident_id = %(resident)s
ORDER BY r.time, r.device_key LIMIT %(limit)s

-- name: bucketed_raw
SELECT date_bin(%(width)s, r.time, %(origin)s) AS t, avg(r.value) AS avg, min(r.value) AS min, max(r.value) AS max,
       count(*) AS count
FROM bindings b
JOIN tenant_readings r ON r.device_key = b.device_key AND r.metric = %(metric)s
    AND r.time >= %(start)s AND r.time < %(end)s
    AND r.time >= b.bound_from AND (b.bound_to IS NULL OR r.time < b.bound_to)
WHERE b.resident_id = %(resident)s
GROUP BY 1 ORDER BY 1

-- name: bucketed_5m
-- Rolled-up values; an interval that begins or ends inside a rollup's span gives up that span, which holds others' too.
SELECT date_bin(%(width)s, r.bucket, %(origin)s) AS t, sum(r.sum) / sum(r.count) AS avg, min(r.min) AS min,
       max(r.max) AS max, sum(r.count)::bigint AS count
FROM bindings b
JOIN readings_5m r ON r.device_key = b.device_key AND r.metric = %(metric)s
    AND r.bucket >= %(start)s AND r.bucket < %(end)s
    AND r.bucket >= b.bound_from AND (b.bound_to IS NULL OR r.bucket + interval '5 minutes' <= b.bound_to)
WHERE b.resident_id = %(resident)s
GROUP BY 1 ORDER BY 1

-- name: bucketed_1h
-- Rolled-up values; an interval that begins or ends inside a rollup's span gives up that span, which holds others' too.
SELECT date_bin(%(width)s, r.bucket, %(origin)s) AS t, sum(r.sum) / sum(r.count) AS avg, min(r.min) AS min,
       max(r.max) AS max, sum(r.count)::bigint AS count
FROM bindings b
JOIN readings_1h r ON r.device_key = b.device_key AND r.metric = %(metric)s
    AND r.bucket >= %(start)s AND r.bucket < %(end)s
    AND r.bucket >= b.bound_from AND (b.bound_to IS NULL OR r.bucket + interval '1 hour' <= b.bound_to)
WHERE b.resident_id = %(resident)s
GROUP BY 1 ORDER BY 1

-- name: bucketed_1d
-- Rolled-up values; an interval that begins or ends inside a rollup's span gives up that span, which holds others' too.
SELECT date_bin(%(width)s, r.bucket, %(origin)s) AS t, sum(r.sum) / sum(r.count) AS avg, min(r.min) AS min,
       max(r.max) AS max, sum(r.count)::bigint AS count
FROM bindings b
JOIN readings_1d r ON r.device_key = b.device_key AND r.metric = %(metric)s
    AND r.bucket >= %(start)s AND r.bucket < %(end)s
    AND r.bucket >= b.bound_from AND (b.bound_to IS NULL OR r.bucket + interval '1 day' <= b.bound_to)
WHERE b.resident_id = %(resident)s
GROUP BY 1 ORDER BY 1
