-- Setting up institutions, accounts and people from the command line.

-- name: insert_institution
INSERT INTO institutions (id, code, name_zh, name_en, timezone, phone, address, created_at)
VALUES (%(id)s, %(code)s, %(name_zh)s, %(name_en)s, %(timezone)s, %(phone)s, %(address)s, %(now)s)
ON CONFLICT (code) DO NOTHING

-- name: insert_stream
INSERT INTO institution_streams (institution_id) VALUES (%(id)s)

-- name: insert_plan
INSERT INTO escalation_plans (id, institution_id, alert_type, steps, updated_at)
VALUES (%(id)s, %(institution)s, NULL, %(steps)s, %(now)s)

-- name: institutions
SELECT i.id, i.code, i.name_zh, i.name_en, i.timezone, i.created_at,
       (SELECT count(*) FROM users u WHERE u.institution_id = i.id AND u.disabled_at IS NULL) AS users,
       (SELECT count(*) FROM devices d WHERE d.institution_id = i.id AND d.retired_at IS NULL) AS devices
FROM institutions i ORDER BY i.code

-- name: institution
SELECT id, code, name_zh, name_en FROM institutions WHERE code = %(code)s

-- name: insert_user
INSERT INTO users (id, institution_id, username, password_hash, role, name, phone, on_duty, created_at)
VALUES (%(id)s, %(institution)s, %(username)s, %(password_hash)s, %(role)s, %(name)s, %(phone)s, %(on_duty)s, %(now)s)
ON CONFLICT (username) DO NOTHING

-- name: users
SELECT u.username, u.role, u.name, u.on_duty, u.disabled_at, i.code AS site
FROM users u LEFT JOIN institutions i ON i.id = u.institution_id ORDER BY i.code NULLS FIRST, u.username

-- name: set_password
UPDATE users SET password_hash = %(password_hash)s, token_version = token_version + 1,
    must_change_password = true
WHERE username = %(username)s

-- name: disable_user
UPDATE users SET disabled_at = %(now)s, token_version = token_version + 1
WHERE username = %(username)s AND disabled_at IS NULL

-- name: insert_resident
INSERT INTO residents (id, institution_id, name, sex, birth_date, building, floor, room, address, phone, care_level,
                       conditions, medication, access_notes, created_at, updated_at)
VALUES (%(id)s, %(institution)s, %(name)s, %(sex)s, %(birth_date)s, %(building)s, %(floor)s, %(room)s, %(address)s,
        %(phone)s, %(care_level)s, %(conditions)s, %(medication)s, %(access_notes)s, %(now)s, %(now)s)

-- name: insert_contact
INSERT INTO contacts (id, institution_id, resident_id, position, name, relation, phone, user_id, created_at)
VALUES (%(id)s, %(institution)s, %(resident)s, %(position)s, %(name)s, %(relation)s, %(phone)s, %(user)s, %(now)s)

-- name: insert_consent
INSERT INTO consents (id, institution_id, resident_id, user_id, scope, granted_at, granted_by)
VALUES (%(id)s, %(institution)s, %(resident)s, %(user)s, %(scope)s, %(now)s, %(granted_by)s)

-- name: insert_channel
INSERT INTO notification_channels (id, institution_id, user_id, contact_id, kind, target, secret, created_at)
VALUES (%(id)s, %(institution)s, %(user)s, %(contact)s, 'webhook', %(target)s, %(secret)s, %(now)s)

-- name: devices
SELECT d.key, d.id, d.kind, d.name, d.retired_at, s.online, s.last_seen, s.battery, r.name AS resident, b.room
FROM devices d JOIN institutions i ON i.id = d.institution_id
LEFT JOIN device_status s ON s.device_key = d.key
LEFT JOIN bindings b ON b.device_key = d.key AND b.bound_to IS NULL
LEFT JOIN residents r ON r.id = b.resident_id
WHERE i.code = %(site)s ORDER BY d.id

-- name: device_key
SELECT d.key FROM devices d JOIN institutions i ON i.id = d.institution_id WHERE i.code = %(site)s AND d.id = %(id)s

-- name: schema_version
SELECT max(number) AS version FROM schema_migrations

-- name: heartbeats
SELECT role, instance, at, detail FROM heartbeats ORDER BY role, instance

-- name: about
SELECT current_setting('server_version') AS server, clock_timestamp() AS now,
       (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb') AS timescale

-- name: beat
INSERT INTO heartbeats (role, instance, at, detail) VALUES (%(role)s, %(instance)s, %(now)s, %(detail)s)
ON CONFLICT (role, instance) DO UPDATE SET at = excluded.at, detail = excluded.detail

-- name: followers
SELECT f.name, h.seq - f.seq AS behind FROM feed_followers f, feed_head h ORDER BY f.name

-- name: recent_rejections
SELECT reason, count(*) AS n FROM rejections WHERE received > %(since)s GROUP BY reason ORDER BY n DESC

-- name: audit
INSERT INTO audit_log (institution_id, at, username, role, action, object_type, object_id, detail)
VALUES (%(institution)s, %(now)s, %(username)s, 'operator', %(action)s, %(object_type)s, %(object_id)s, '{}')
