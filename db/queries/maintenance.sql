-- What a scheduled job keeps in order.

-- name: try_lock
-- One replica at a time does a job; the others skip it.
SELECT pg_try_advisory_xact_lock(hashtext('anhu job'), hashtext(%(job)s)) AS mine

-- name: ensure_partitions
SELECT ensure_partitions(%(first_day)s, %(last_day)s) AS made

-- name: drop_series_before
SELECT drop_series_before(%(series)s, %(day)s) AS dropped

-- name: drop_rejections
DELETE FROM rejections WHERE received < %(before)s

-- name: drop_clock_faults
DELETE FROM clock_faults WHERE received < %(before)s

-- name: drop_transitions
DELETE FROM device_transitions WHERE at < %(before)s

-- name: drop_refresh_tokens
DELETE FROM refresh_tokens WHERE expires_at < %(before)s

-- name: drop_audit
DELETE FROM audit_log WHERE at < %(before)s

-- name: drop_heartbeats
DELETE FROM heartbeats WHERE at < %(before)s

-- name: beat
INSERT INTO heartbeats (role, instance, at, detail) VALUES ('jobs', %(instance)s, %(now)s, '{}')
ON CONFLICT (role, instance) DO UPDATE SET at = excluded.at

-- name: is_timescale
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS yes
