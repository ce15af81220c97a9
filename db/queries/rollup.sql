-- Incremental rollups on plain PostgreSQL: buckets that new readings touched are computed again from below.

-- name: refresh_5m
INSERT INTO rollup_5m (device_key, metric, bucket, count, sum, min, max)
SELECT t.device_key, t.metric, t.bucket, s.count, s.sum, s.min, s.max
FROM (SELECT device_key, metric, to_timestamp(bucket) AS bucket
      FROM unnest(%(device_key)s::int[], %(metric)s::smallint[], %(bucket)s::float8[])
          AS u (device_key, metric, bucket)) AS t
CROSS JOIN LATERAL (
    SELECT count(*) AS count, sum(r.value) AS sum, min(r.value) AS min, max(r.value) AS max FROM readings r
    WHERE r.device_key = t.device_key AND r.metric = t.metric
      AND r.time >= t.bucket AND r.time < t.bucket + INTERVAL '5 minutes') AS s
WHERE s.count > 0
ON CONFLICT (device_key, metric, bucket)
DO UPDATE SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max

-- name: refresh_1h
INSERT INTO rollup_1h (device_key, metric, bucket, count, sum, min, max)
SELECT t.device_key, t.metric, t.bucket, s.count, s.sum, s.min, s.max
FROM (SELECT device_key, metric, to_timestamp(bucket) AS bucket
      FROM unnest(%(device_key)s::int[], %(metric)s::smallint[], %(bucket)s::float8[])
          AS u (device_key, metric, bucket)) AS t
CROSS JOIN LATERAL (
    SELECT sum(r.count)::bigint AS count, sum(r.sum) AS sum, min(r.min) AS min, max(r.max) AS max FROM rollup_5m r
    WHERE r.device_key = t.device_key AND r.metric = t.metric
      AND r.bucket >= t.bucket AND r.bucket < t.bucket + INTERVAL '1 hour') AS s
WHERE s.count > 0
ON CONFLICT (device_key, metric, bucket)
DO UPDATE SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max

-- name: refresh_1d
INSERT INTO rollup_1d (device_key, metric, bucket, count, sum, min, max)
SELECT t.device_key, t.metric, t.bucket, s.count, s.sum, s.min, s.max
FROM (SELECT device_key, metric, to_timestamp(bucket) AS bucket
      FROM unnest(%(device_key)s::int[], %(metric)s::smallint[], %(bucket)s::float8[])
          AS u (device_key, metric, bucket)) AS t
CROSS JOIN LATERAL (
    SELECT sum(r.count)::bigint AS count, sum(r.sum) AS sum, min(r.min) AS min, max(r.max) AS max FROM rollup_1h r
    WHERE r.device_key = t.device_key AND r.metric = t.metric
      AND r.bucket >= t.bucket AND r.bucket < t.bucket + INTERVAL '1 day') AS s
WHERE s.count > 0
ON CONFLICT (device_key, metric, bucket)
DO UPDATE SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max

-- name: rebuild_5m
-- Every bucket of some devices in an interval at once, for readings that came otherwise than through the feed.
INSERT INTO rollup_5m (device_key, metric, bucket, count, sum, min, max)
SELECT device_key, metric, date_bin('5 minutes', time, TIMESTAMPTZ '2000-01-01 16:00+00'), count(*), sum(value),
       min(value), max(value)
FROM readings WHERE device_key = ANY (%(devices)s::int[]) AND time >= %(start)s AND time < %(end)s
GROUP BY 1, 2, 3
ON CONFLICT (device_key, metric, bucket)
DO UPDATE SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max

-- name: rebuild_1h
INSERT INTO rollup_1h (device_key, metric, bucket, count, sum, min, max)
SELECT device_key, metric, date_bin('1 hour', bucket, TIMESTAMPTZ '2000-01-01 16:00+00'), sum(count)::bigint, sum(sum),
       min(min), max(max)
FROM rollup_5m WHERE device_key = ANY (%(devices)s::int[]) AND bucket >= %(start)s AND bucket < %(end)s
GROUP BY 1, 2, 3
ON CONFLICT (device_key, metric, bucket)
DO UPDATE SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max

-- name: rebuild_1d
INSERT INTO rollup_1d (device_key, metric, bucket, count, sum, min, max)
SELECT device_key, metric, date_bin('1 day', bucket, TIMESTAMPTZ '2000-01-01 16:00+00'), sum(count)::bigint, sum(sum),
       min(min), max(max)
FROM rollup_1h WHERE device_key = ANY (%(devices)s::int[]) AND bucket >= %(start)s AND bucket < %(end)s
GROUP BY 1, 2, 3
ON CONFLICT (device_key, metric, bucket)
DO UPDATE SET count = excluded.count, sum = excluded.sum, min = excluded.min, max = excluded.max
