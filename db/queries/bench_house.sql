-- Rows by the thousand for `anhu bench api`; run by a superuser, whom row security lets through.

-- name: staff
INSERT INTO users (id, institution_id, username, password_hash, role, name, created_at)
SELECT gen_random_uuid(), %(tenant)s, %(code)s || '-staff-' || n, u.password_hash, 'admin', '员工', %(now)s
FROM users u, generate_series(1, %(staff)s - 1) AS n
WHERE u.id = %(first)s

-- name: residents
INSERT INTO residents (id, institution_id, name, sex, birth_date, building, floor, room, created_at, updated_at)
SELECT gen_random_uuid(), %(tenant)s, '老人' || n, 'female', '1940-01-01', 'A', (n / 50)::text, n::text, %(now)s - n *
       interval '1 minute', %(now)s
FROM generate_series(1, %(count)s) AS n

-- name: families
INSERT INTO users (id, institution_id, username, password_hash, role, name, created_at)
SELECT gen_random_uuid(), %(tenant)s, %(code)s || '-family-' || n, 'x', 'family', '家属', %(now)s
FROM generate_series(1, %(families)s) AS n

-- name: contacts
INSERT INTO contacts (id, institution_id, resident_id, position, name, relation, created_at)
SELECT gen_random_uuid(), %(tenant)s, id, 1, '家属', 'child', %(now)s
FROM residents
WHERE institution_id = %(tenant)s

-- name: consents
WITH f AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM users WHERE institution_id = %(tenant)s AND role =
       'family'), r AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM residents WHERE institution_id =
       %(tenant)s)
INSERT INTO consents (id, institution_id, resident_id, user_id, scope, granted_at, granted_by)
SELECT gen_random_uuid(), %(tenant)s, r.id, f.id, s, %(since)s, 'resident'
FROM r JOIN f USING (n), unnest('{alerts,health,location}'::text[]) AS s

-- name: providers
INSERT INTO providers (id, institution_id, name, services, created_at, updated_at)
SELECT gen_random_uuid(), %(tenant)s, '服务商' || n, '{goods,daily-living}', %(now)s, %(now)s
FROM generate_series(1, 20) AS n

-- name: workers
INSERT INTO workers (id, institution_id, name, created_at, updated_at)
SELECT gen_random_uuid(), %(tenant)s, '服务员' || n, %(now)s, %(now)s
FROM generate_series(1, 100) AS n

-- name: products
INSERT INTO products (id, institution_id, code, name, category, price, created_at, updated_at)
SELECT gen_random_uuid(), %(tenant)s, 'p' || n, '商品' || n, 'food', 10, %(now)s, %(now)s
FROM generate_series(1, 500) AS n

-- name: targets
INSERT INTO visit_targets (institution_id, resident_id, groups, every_days, since, updated_at)
SELECT %(tenant)s, id, '{alone}', 7, %(since)s::date, %(now)s
FROM residents
WHERE institution_id = %(tenant)s

-- name: devices
INSERT INTO devices (institution_id, id, kind, credential_salt, password_hash, credential_rotated_at,
       supervision_seconds, created_at, updated_at)
SELECT %(tenant)s, %(code)s || '-' || k || n, k, 'salt', 'hash', %(now)s, 900, %(now)s, %(now)s
FROM generate_series(1, %(count)s) AS n, unnest('{wristband,pir}'::text[]) AS k

-- name: status
INSERT INTO device_status (device_key, institution_id, online, status_time, battery, last_seen, last_sample)
SELECT key, institution_id, true, %(now)s, 80, %(now)s, %(now)s
FROM devices
WHERE institution_id = %(tenant)s

-- name: bindings
WITH d AS (SELECT key, row_number() OVER (PARTITION BY kind ORDER BY key) AS n FROM devices WHERE institution_id =
       %(tenant)s), r AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM residents WHERE institution_id =
       %(tenant)s)
INSERT INTO bindings (id, institution_id, device_key, resident_id, bound_from)
SELECT gen_random_uuid(), %(tenant)s, d.key, r.id, %(since)s
FROM d JOIN r USING (n)

-- name: latest
INSERT INTO latest (device_key, metric, time, value, received)
SELECT d.key, m, %(now)s, 70, %(now)s
FROM devices d, generate_series(1, 5) AS m
WHERE d.institution_id = %(tenant)s AND d.kind = 'wristband'

-- name: checks
INSERT INTO device_checks (id, institution_id, device_key, due_at, done_at, how, result)
SELECT gen_random_uuid(), %(tenant)s, key, %(now)s, %(now)s - n * interval '7 days', 'test_event', 'passed'
FROM devices, generate_series(1, 4) AS n
WHERE institution_id = %(tenant)s

-- name: rejections
INSERT INTO rejections (institution_id, site, device, topic, payload, reason, detail, received)
SELECT %(tenant)s, %(code)s, 'x', 'anhu/v1/x/x/telemetry', '{}', 'bad_json', 'x', %(now)s
FROM generate_series(1, 2000)

-- name: audit
INSERT INTO audit_log (institution_id, at, user_id, username, role, action, object_type, object_id, detail,
       request_id, address, success)
SELECT %(tenant)s, %(now)s - n * interval '1 minute', %(first)s, 'x', 'admin', 'read', 'resident', n::text, '{}',
       '', '', true
FROM generate_series(1, 20000) AS n

-- name: alerts
INSERT INTO alerts (id, institution_id, resident_id, type, severity, state, source, occurred_at, opened_at,
       resolved_at, outcome, last_occurred_at)
SELECT gen_random_uuid(), %(tenant)s, r.id, 'heart_rate_high', 'high', CASE WHEN n = 1 THEN 'open' ELSE 'resolved'
       END, 'detector', t.at, t.at, CASE WHEN n > 1 THEN t.at + interval '1 hour' END, CASE WHEN n > 1 THEN
       'assisted' END, t.at
FROM residents r, generate_series(1, %(alerts)s) AS n, LATERAL (SELECT %(now)s - n * interval '3 days' -
       extract(minute FROM r.created_at) * interval '1 minute' AS at) t
WHERE r.institution_id = %(tenant)s

-- name: entries
INSERT INTO alert_entries (institution_id, seq, alert_id, at, kind)
SELECT %(tenant)s, row_number() OVER (ORDER BY opened_at, id, k), id, opened_at, k
FROM alerts, unnest('{opened,paged,acknowledged}'::text[]) AS k
WHERE institution_id = %(tenant)s

-- name: stream
UPDATE institution_streams SET last_seq = (SELECT max(seq) FROM alert_entries WHERE institution_id = %(tenant)s)
WHERE institution_id = %(tenant)s

-- name: notices
INSERT INTO notices (id, institution_id, user_id, at, zh, en)
SELECT gen_random_uuid(), %(tenant)s, u.id, %(now)s - n * interval '1 hour', '通知', 'Notice'
FROM users u, generate_series(1, %(notices)s) AS n
WHERE u.institution_id = %(tenant)s AND u.role <> 'family'

-- name: records
-- Of one kind, over all its states, each with its first event.
WITH person AS (
    SELECT id, row_number() OVER (ORDER BY id) AS n FROM residents WHERE institution_id = %(tenant)s
), planned AS (
    SELECT id AS resident_id, k, 1 + k %% cardinality(%(states)s::text[]) AS state,
           %(now)s::timestamptz + interval '7 days' - k %% 900 * interval '1 hour' AS at
    FROM person, generate_series(1, %(each)s) AS e, LATERAL (SELECT (n * %(each)s + e)::integer AS k) i
), made AS (
    INSERT INTO service_records (id, institution_id, service, kind, state, final, resident_id, title, starts_at,
                                 ends_at, due_at, detail, created_at, created_by, updated_at)
    SELECT gen_random_uuid(), %(tenant)s, %(service)s, %(kind)s, (%(states)s::text[])[state],
           (%(finals)s::boolean[])[state], resident_id, '测试', at, at + interval '1 hour', at + interval '1 day',
           %(detail)s::jsonb || jsonb_build_object(%(own)s::text, CASE %(own)s::text
               WHEN 'alert_id' THEN gen_random_uuid()::text ELSE k::text END),
           at - interval '1 day', %(first)s, at
    FROM planned RETURNING id, state, created_at
)
INSERT INTO service_events (institution_id, record_id, at, user_id, actor, role, action, to_state)
SELECT %(tenant)s, id, created_at, %(first)s, '员工', 'admin', 'create', state FROM made
