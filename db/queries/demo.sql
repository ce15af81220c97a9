-- The demo institution.

-- name: devices
SELECT d.id, d.kind, b.resident_id
FROM devices d JOIN institutions i ON i.id = d.institution_id
LEFT JOIN bindings b ON b.device_key = d.key AND b.bound_to IS NULL
WHERE i.code = %(site)s AND d.retired_at IS NULL
ORDER BY d.key

-- name: point_webhooks
-- The pager listens beside the API, whose port may differ from one start to the next.
UPDATE notification_channels c SET target = %(target)s
FROM institutions i WHERE i.id = c.institution_id AND i.code = %(site)s AND c.kind = 'webhook'
  AND c.target LIKE 'http://127.0.0.1:%%/page'
