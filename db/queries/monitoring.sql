-- Whether somebody is watched over.

-- name: devices
-- Every device that serves a resident now, with what was last heard of it.
SELECT d.key, d.id, d.kind, d.name, d.supervision_seconds, d.retired_at, b.bound_from, s.last_sample, s.online,
       s.battery
FROM bindings b JOIN devices d ON d.key = b.device_key LEFT JOIN device_status s ON s.device_key = d.key
WHERE b.resident_id = %(resident)s AND b.bound_from <= %(now)s AND (b.bound_to IS NULL OR b.bound_to > %(now)s)
ORDER BY d.kind, d.id

-- name: watchers
-- When each role last gave a sign of life.
SELECT role, max(at) AS at FROM heartbeats WHERE role IN ('ingest', 'alerts') GROUP BY role

-- name: open_alerts
SELECT count(*) AS n FROM alerts WHERE resident_id = %(resident)s AND state <> 'resolved'
