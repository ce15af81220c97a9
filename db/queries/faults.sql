-- Faults of devices that residents rely on.

-- name: device
SELECT d.id, d.kind, b.resident_id FROM devices d
LEFT JOIN bindings b ON b.device_key = d.key AND b.bound_from <= %(now)s AND (b.bound_to IS NULL OR b.bound_to > %(now)s)
WHERE d.id = %(device)s AND d.retired_at IS NULL
