-- What a scheduled job keeps in order.

-- name: try_lock
-- One replica at a time does a job; the others skip it.
SELECT pg_try_advisory_xact_lock(hashtext('anhu job'), hashtext(%(job)s)) AS mine

-- name: ensure_partitions
SELECT ensure_partitions(%(first_day)s, %(last_day)s) AS made

-- name: drop_series_before
SELECT drop_series_before(%(series)s, %(day)s) AS dropped

-- name: drop_clock_faults
DELETE FROM clock_faults WHERE received < %(before)s

-- name: drop_transitions
DELETE FROM device_transitions WHERE at < %(before)s

-- name: drop_refresh_tokens
DELETE FROM refresh_tokens WHERE expires_at < %(before)s

-- name: drop_heartbeats
DELETE FROM heartbeats WHERE at < %(before)s

-- name: beat
INSERT INTO heartbeats (role, instance, at, detail) VALUES ('jobs', %(instance)s, %(now)s, '{}')
ON CONFLICT (role, instance) DO UPDATE SET at = excluded.at

-- name: is_timescale
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS yes

-- name: set_chunk_hours
SELECT set_chunk_hours(%(hours)s) AS changed

-- name: chunk_load
-- The largest piece of `readings` that is still open, as it would be in full, and what it should stay below. A server is
-- told of three quarters of its memory (effective_cache_size); a third of that is a quarter of the memory. Of a piece
-- that is not yet over, only the part that is past can be judged, and not in its first tenth.
SELECT max(bytes / share)::bigint AS bytes, (pg_size_bytes(current_setting('effective_cache_size')) / 3)::bigint AS room,
       (max(extract(epoch FROM ends - starts)) / 3600)::integer AS hours
FROM (SELECT starts, ends, bytes::float8,
             least(1.0, extract(epoch FROM %(now)s - starts) / extract(epoch FROM ends - starts))::float8 AS share
      FROM open_chunks()
      WHERE starts <= %(now)s AND starts > %(now)s - INTERVAL '4 days') AS recent
WHERE share > 0.1
