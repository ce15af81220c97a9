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


-- name: institution
-- When it was founded, from which the month of the demo counts.
SELECT id, created_at FROM institutions WHERE code = %(site)s

-- name: residents
SELECT r.id FROM residents r ORDER BY r.key LIMIT %(count)s

-- name: accounts
SELECT id, username, role, name FROM users WHERE institution_id = %(institution)s AND disabled_at IS NULL

-- name: account
SELECT id FROM users WHERE username = %(username)s

-- name: told
SELECT object_id AS story FROM audit_log WHERE object_type = %(mark)s

-- name: provider
SELECT id FROM providers WHERE name = %(name)s

-- name: worker
SELECT id FROM workers WHERE name = %(name)s

-- name: product
SELECT id, name, price FROM products WHERE code = %(code)s

-- name: facility
SELECT id FROM service_records WHERE service = 'information' AND kind = 'facility' AND title = %(title)s

-- name: bed
SELECT id FROM beds WHERE label = %(label)s

-- name: device
SELECT key, id FROM devices WHERE id = %(id)s

-- name: device_keys
SELECT id, key, institution_id FROM devices WHERE institution_id = %(institution)s

-- name: deliver_pages
-- Pages of a story were delivered in it: nobody is called today for a fall of three weeks ago.
UPDATE outbox SET state = 'sent', attempts = 1, first_attempt_at = %(now)s, sent_at = %(now)s
WHERE alert_id = %(alert)s AND state = 'pending'
RETURNING recipient, recipient_name, channel_kind

-- name: read_notices
-- Who works there every day has read what is older than two days.
UPDATE notices SET read_at = at + interval '3 hours'
WHERE institution_id = %(institution)s AND read_at IS NULL AND at < %(before)s

-- name: be_api
SET LOCAL ROLE anhu_api

-- name: be_alerts
SET LOCAL ROLE anhu_alerts

-- name: be_ingest
SET LOCAL ROLE anhu_ingest

-- name: be_jobs
SET LOCAL ROLE anhu_jobs

-- name: be_admin
SET LOCAL ROLE anhu_admin

-- name: place
SELECT place_text(building, floor, room, address) AS place FROM residents WHERE id = %(resident)s

-- name: forget_stage
-- The stage belongs to the role that made it: it would be in the way of nobody but a second telling.
DROP TABLE IF EXISTS stage_readings, stage_latest;
SET LOCAL enable_hashjoin = on;
SET LOCAL enable_mergejoin = on

-- name: item
SELECT id FROM service_items WHERE code = %(code)s
