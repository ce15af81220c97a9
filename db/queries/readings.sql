-- A resident's readings: those of the devices that served the resident at the time of the reading.
--
-- The tenant views are barriers that the planner does not merge with a join: joined plainly, it would read the series
-- of the whole tenant. So each binding looks up its own interval (LATERAL, kept apart by OFFSET 0), which goes down
-- to the primary key of the series.

-- name: latest
SELECT DISTINCT ON (l.metric) l.metric, l.time, l.value, l.flags, d.id AS device
FROM bindings b
JOIN devices d ON d.key = b.device_key
CROSS JOIN LATERAL (
    SELECT metric, time, value, flags FROM tenant_latest
    WHERE device_key = b.device_key AND metric = ANY (%(metrics)s::smallint[])
      AND time >= b.bound_from AND time < coalesce(b.bound_to, 'infinity')
    OFFSET 0
) l
WHERE b.resident_id = %(resident)s
ORDER BY l.metric, l.time DESC

-- name: latest_before_unbinding
-- A device that has moved on holds newer values of somebody else: then the last value of this resident's interval.
SELECT DISTINCT ON (l.metric) l.metric, r.time, r.value, r.flags, d.id AS device
FROM bindings b
JOIN devices d ON d.key = b.device_key
CROSS JOIN LATERAL (
    SELECT metric FROM tenant_latest
    WHERE device_key = b.device_key AND metric = ANY (%(metrics)s::smallint[]) AND time >= b.bound_to
    OFFSET 0
) l
CROSS JOIN LATERAL (
    SELECT time, value, flags FROM tenant_readings
    WHERE device_key = b.device_key AND metric = l.metric
      AND time >= greatest(b.bound_from, %(since)s) AND time >= %(since)s AND time < b.bound_to
    ORDER BY time DESC LIMIT 1
) r
WHERE b.resident_id = %(resident)s AND b.bound_to > %(since)s
ORDER BY l.metric, r.time DESC

-- name: raw
SELECT r.time AS t, r.value AS avg, r.value AS min, r.value AS max, 1 AS count
FROM bindings b
CROSS JOIN LATERAL (
    SELECT time, value FROM tenant_readings
    WHERE device_key = b.device_key AND metric = %(metric)s
      AND time >= %(start)s AND time < %(end)s
      AND time >= b.bound_from AND time < coalesce(b.bound_to, 'infinity')
    OFFSET 0
) r
WHERE b.resident_id = %(resident)s AND b.bound_from < %(end)s AND coalesce(b.bound_to, 'infinity') > %(start)s
ORDER BY r.time, b.device_key LIMIT %(limit)s

-- name: bucketed_raw
SELECT date_bin(%(width)s, r.time, %(origin)s) AS t, avg(r.value) AS avg, min(r.value) AS min, max(r.value) AS max,
       count(*) AS count
FROM bindings b
CROSS JOIN LATERAL (
    SELECT time, value FROM tenant_readings
    WHERE device_key = b.device_key AND metric = %(metric)s
      AND time >= %(start)s AND time < %(end)s
      AND time >= b.bound_from AND time < coalesce(b.bound_to, 'infinity')
    OFFSET 0
) r
WHERE b.resident_id = %(resident)s AND b.bound_from < %(end)s AND coalesce(b.bound_to, 'infinity') > %(start)s
GROUP BY 1 ORDER BY 1

-- name: bucketed_5m
-- Rolled-up values; an interval that begins or ends inside a rollup's span gives up that span, which holds others' too.
SELECT date_bin(%(width)s, r.bucket, %(origin)s) AS t, sum(r.sum) / sum(r.count) AS avg, min(r.min) AS min,
       max(r.max) AS max, sum(r.count)::bigint AS count
FROM bindings b
CROSS JOIN LATERAL (
    SELECT bucket, count, sum, min, max FROM readings_5m
    WHERE device_key = b.device_key AND metric = %(metric)s
      AND bucket >= %(start)s AND bucket < %(end)s
      AND bucket >= b.bound_from AND bucket <= coalesce(b.bound_to, 'infinity') - interval '5 minutes'
    OFFSET 0
) r
WHERE b.resident_id = %(resident)s AND b.bound_from < %(end)s AND coalesce(b.bound_to, 'infinity') > %(start)s
GROUP BY 1 ORDER BY 1

-- name: bucketed_1h
-- Rolled-up values; an interval that begins or ends inside a rollup's span gives up that span, which holds others' too.
SELECT date_bin(%(width)s, r.bucket, %(origin)s) AS t, sum(r.sum) / sum(r.count) AS avg, min(r.min) AS min,
       max(r.max) AS max, sum(r.count)::bigint AS count
FROM bindings b
CROSS JOIN LATERAL (
    SELECT bucket, count, sum, min, max FROM readings_1h
    WHERE device_key = b.device_key AND metric = %(metric)s
      AND bucket >= %(start)s AND bucket < %(end)s
      AND bucket >= b.bound_from AND bucket <= coalesce(b.bound_to, 'infinity') - interval '1 hour'
    OFFSET 0
) r
WHERE b.resident_id = %(resident)s AND b.bound_from < %(end)s AND coalesce(b.bound_to, 'infinity') > %(start)s
GROUP BY 1 ORDER BY 1

-- name: bucketed_1d
-- Rolled-up values; an interval that begins or ends inside a rollup's span gives up that span, which holds others' too.
SELECT date_bin(%(width)s, r.bucket, %(origin)s) AS t, sum(r.sum) / sum(r.count) AS avg, min(r.min) AS min,
       max(r.max) AS max, sum(r.count)::bigint AS count
FROM bindings b
CROSS JOIN LATERAL (
    SELECT bucket, count, sum, min, max FROM readings_1d
    WHERE device_key = b.device_key AND metric = %(metric)s
      AND bucket >= %(start)s AND bucket < %(end)s
      AND bucket >= b.bound_from AND bucket <= coalesce(b.bound_to, 'infinity') - interval '1 day'
    OFFSET 0
) r
WHERE b.resident_id = %(resident)s AND b.bound_from < %(end)s AND coalesce(b.bound_to, 'infinity') > %(start)s
GROUP BY 1 ORDER BY 1

-- name: usual_question
-- What a new connection asks for nobody, to learn the catalogue: 30 days, the last eight of them raw.
SELECT '00000000-0000-0000-0000-000000000000'::uuid AS resident, 1::smallint AS metric, interval '1 hour' AS width,
       timestamptz '2000-01-01 16:00+00' AS origin, now() - interval '30 days' AS oldest,
       now() - interval '8 days' AS edge, now() AS newest

-- name: usual
-- Per metric and hour of the local day (one for all hours where a metric is measured by hand): the median of means of
-- five minutes and the median of the distances from it.
WITH seen AS MATERIALIZED (
    SELECT r.metric, r.sum / r.count AS value, r.count, (r.bucket AT TIME ZONE %(zone)s)::date AS day,
           CASE WHEN r.metric = ANY (%(by_hour)s::smallint[])
                THEN extract(hour FROM r.bucket AT TIME ZONE %(zone)s)::int END AS hour
    FROM bindings b
    CROSS JOIN LATERAL (
        SELECT metric, bucket, count, sum FROM readings_5m
        WHERE device_key = b.device_key AND metric = ANY (%(metrics)s::smallint[])
          AND bucket >= %(start)s AND bucket < %(end)s
          AND bucket >= b.bound_from AND bucket <= coalesce(b.bound_to, 'infinity') - interval '5 minutes'
        OFFSET 0
    ) r
    WHERE b.resident_id = %(resident)s AND b.bound_from < %(end)s AND coalesce(b.bound_to, 'infinity') > %(start)s
), middle AS (
    SELECT metric, hour, percentile_cont(0.5) WITHIN GROUP (ORDER BY value) AS median, sum(count)::bigint AS readings,
           count(DISTINCT day) AS days
    FROM seen GROUP BY metric, hour
)
SELECT m.metric, m.hour, m.median, m.readings, m.days,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(s.value - m.median)) AS mad
FROM middle m JOIN seen s ON s.metric = m.metric AND s.hour IS NOT DISTINCT FROM m.hour
GROUP BY m.metric, m.hour, m.median, m.readings, m.days ORDER BY m.metric, m.hour

-- name: positions
-- Fixes, newest first: latitude, longitude and accuracy that one device measured at one moment.
SELECT r.time AS t, r.value AS latitude, o.value AS longitude, a.value AS accuracy_m, d.id AS device
FROM bindings b
JOIN devices d ON d.key = b.device_key
CROSS JOIN LATERAL (
    SELECT time, value FROM tenant_readings
    WHERE device_key = b.device_key AND metric = %(lat)s AND time >= %(start)s AND time < %(end)s
      AND time >= b.bound_from AND time < coalesce(b.bound_to, 'infinity')
      AND (%(before)s::timestamptz IS NULL OR time <= %(before)s)
    ORDER BY time DESC LIMIT %(limit)s + 1
) r
CROSS JOIN LATERAL (
    SELECT value FROM tenant_readings WHERE device_key = b.device_key AND metric = %(lon)s AND time = r.time OFFSET 0
) o
LEFT JOIN LATERAL (
    SELECT value FROM tenant_readings WHERE device_key = b.device_key AND metric = %(acc)s AND time = r.time OFFSET 0
) a ON true
WHERE b.resident_id = %(resident)s AND b.bound_from < %(end)s AND coalesce(b.bound_to, 'infinity') > %(start)s
  AND (%(before)s::timestamptz IS NULL OR (r.time, d.id COLLATE "C") < (%(before)s, %(before_id)s::text COLLATE "C"))
ORDER BY r.time DESC, d.id COLLATE "C" DESC LIMIT %(limit)s
