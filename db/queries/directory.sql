-- The registry as ingest needs it.

-- name: institutions
SELECT id, code FROM institutions

-- name: devices
SELECT d.key, d.id, d.kind, d.institution_id, i.code AS site
FROM devices d JOIN institutions i ON i.id = d.institution_id
WHERE d.retired_at IS NULL
