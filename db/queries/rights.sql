-- Rights of the person: guardians, requests, restriction, history, export, erasure.

-- name: restricted
SELECT level FROM resident_restrictions WHERE resident_id = %(resident)s

-- name: legal
SELECT capacity, ground, after_death, wishes, version, updated_at FROM resident_legal WHERE resident_id = %(resident)s

-- name: put_legal
INSERT INTO resident_legal (resident_id, institution_id, capacity, ground, after_death, wishes, updated_at, updated_by)
VALUES (%(resident)s, %(tenant)s, %(capacity)s, %(ground)s, %(after_death)s, %(wishes)s, %(now)s, %(by)s)
ON CONFLICT (resident_id) DO UPDATE SET capacity = excluded.capacity, ground = excluded.ground,
    after_death = excluded.after_death, wishes = excluded.wishes, version = resident_legal.version + 1,
    updated_at = excluded.updated_at, updated_by = excluded.updated_by

-- name: guardians
SELECT g.id, g.kind, g.name, g.relation, g.phone, g.user_id, g.ground, g.powers, g.valid_from, g.valid_until, g.ended_at,
       u.name AS verified_by, g.created_at
FROM resident_guardians g JOIN users u ON u.id = g.verified_by
WHERE g.resident_id = %(resident)s AND (%(id)s::uuid IS NULL OR g.id = %(id)s) ORDER BY g.created_at, g.id LIMIT 500

-- name: add_guardian
INSERT INTO resident_guardians (id, institution_id, resident_id, kind, name, relation, phone, user_id, ground, powers,
                                valid_from, valid_until, verified_by, created_at)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(kind)s, %(name)s, %(relation)s, %(phone)s, %(user_id)s, %(ground)s,
        %(powers)s, %(valid_from)s, %(valid_until)s, %(by)s, %(now)s)

-- name: end_guardian
UPDATE resident_guardians SET ended_at = %(now)s
WHERE id = %(id)s AND resident_id = %(resident)s AND ended_at IS NULL

-- name: acting
-- Who may act for a resident today with this power, by id or by account. Relatives act after the death, if the resident
-- has not arranged otherwise; everybody else before it.
SELECT g.id, g.name, g.user_id FROM resident_guardians g JOIN residents r ON r.id = g.resident_id
WHERE g.resident_id = %(resident)s AND %(power)s = ANY (g.powers) AND g.ended_at IS NULL
  AND g.valid_from <= %(today)s AND (g.valid_until IS NULL OR g.valid_until >= %(today)s)
  AND (%(id)s::uuid IS NULL OR g.id = %(id)s) AND (%(user)s::uuid IS NULL OR g.user_id = %(user)s)
  AND CASE WHEN r.status = 'deceased' THEN CASE wish_after_death(r.id)
           WHEN 'relatives' THEN g.kind = 'relative' WHEN 'named' THEN g.kind IN ('agreed', 'agent') ELSE false END
       ELSE g.kind <> 'relative' END
ORDER BY g.created_at LIMIT 1

-- name: add_request
INSERT INTO rights_requests (id, institution_id, resident_id, kind, requested_by, guardian_id, user_id, reason, changes,
                             received_at, due_at)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(kind)s, %(requested_by)s, %(guardian)s, %(user)s, %(reason)s, %(changes)s,
        %(now)s, %(due_at)s)

-- name: requests
SELECT q.id, q.resident_id, q.kind, q.state, q.requested_by, q.guardian_id, q.user_id, q.reason, q.changes, q.received_at,
       q.due_at, q.decided_at, u.name AS decided_by, q.confirmed_at, c.name AS confirmed_by, q.decision, q.keep_until,
       q.done_at, q.receipt, encode(q.receipt_hash, 'hex') AS receipt_hash
FROM rights_requests q LEFT JOIN users u ON u.id = q.decided_by LEFT JOIN users c ON c.id = q.confirmed_by
WHERE q.resident_id = %(resident)s AND (%(id)s::uuid IS NULL OR q.id = %(id)s)
  AND (%(user)s::uuid IS NULL OR q.user_id = %(user)s)
  AND (%(before)s::timestamptz IS NULL OR (q.received_at, q.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY q.received_at DESC, q.id DESC LIMIT %(limit)s

-- name: desk
-- Every request of the house; `waits` are those that somebody has to answer or to confirm.
SELECT q.id, q.resident_id, p.name AS resident_name, q.kind, q.state, q.requested_by, q.received_at, q.due_at,
       d.name AS decided_by
FROM rights_requests q JOIN residents p ON p.id = q.resident_id LEFT JOIN users d ON d.id = q.decided_by
WHERE q.institution_id = current_tenant() AND (%(state)s::text IS NULL OR q.state = %(state)s)
  AND (%(waits)s::boolean IS NULL OR (q.state IN ('open', 'confirming')) = %(waits)s)
  AND (%(before)s::timestamptz IS NULL OR (q.received_at, q.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY q.received_at DESC, q.id DESC LIMIT %(limit)s

-- name: lock_request
SELECT id, kind, state, changes, guardian_id, user_id, decided_by FROM rights_requests
WHERE id = %(id)s AND resident_id = %(resident)s FOR UPDATE

-- name: decide
UPDATE rights_requests SET state = %(state)s, decided_at = %(now)s, decided_by = %(by)s, decision = %(decision)s,
    keep_until = %(keep_until)s, done_at = CASE WHEN %(state)s IN ('granted', 'refused') THEN %(now)s::timestamptz END
WHERE id = %(id)s

-- name: confirm
UPDATE rights_requests SET state = %(state)s, confirmed_at = %(now)s, confirmed_by = %(by)s,
    decision = CASE WHEN %(reason)s = '' THEN decision ELSE left(concat_ws(' / ', nullif(decision, ''), %(reason)s), 4000) END,
    done_at = CASE WHEN %(state)s = 'refused' THEN %(now)s::timestamptz END
WHERE id = %(id)s

-- name: restrict
INSERT INTO resident_restrictions (resident_id, institution_id, level, request_id, since)
VALUES (%(resident)s, %(tenant)s, %(level)s, %(request)s, %(now)s)
ON CONFLICT (resident_id) DO UPDATE SET level = excluded.level, request_id = excluded.request_id

-- name: lift
DELETE FROM resident_restrictions x WHERE x.resident_id = %(resident)s
  AND NOT EXISTS (SELECT FROM rights_requests q WHERE q.resident_id = x.resident_id AND q.kind = 'erasure'
                  AND q.state IN ('confirming', 'running', 'waiting', 'done'))

-- name: changes
SELECT c.id, c.at, c.version, c.fields, u.name AS by FROM resident_changes c LEFT JOIN users u ON u.id = c.user_id
WHERE c.resident_id = %(resident)s AND (%(before)s::bigint IS NULL OR c.id < %(before)s)
ORDER BY c.id DESC LIMIT %(limit)s

-- name: due_erasures
SELECT id FROM rights_requests
WHERE kind = 'erasure' AND (state = 'running' OR (state = 'waiting' AND keep_until <= %(now)s))
ORDER BY decided_at LIMIT 100

-- name: take_erasure
-- With those who decided, for the receipt.
SELECT q.id, q.resident_id, q.keep_until, d.name AS decided_by, c.name AS confirmed_by
FROM rights_requests q LEFT JOIN users d ON d.id = q.decided_by LEFT JOIN users c ON c.id = q.confirmed_by
WHERE q.id = %(id)s AND (q.state = 'running' OR (q.state = 'waiting' AND q.keep_until <= %(now)s))
FOR UPDATE OF q SKIP LOCKED

-- name: erase
SELECT what, action, touched FROM erase_person(%(resident)s, %(everything)s)

-- name: finish_erasure
UPDATE rights_requests SET state = %(state)s, done_at = %(done_at)s, receipt = %(receipt)s,
    receipt_hash = sha256(convert_to(%(text)s, 'UTF8'))
WHERE id = %(id)s

-- name: tables
SELECT name FROM person_tables()

-- name: rows
SELECT person_rows(%(name)s, %(resident)s) AS row

-- name: resident
SELECT to_jsonb(r) - 'institution_id' - 'key' AS row FROM residents r WHERE r.id = %(resident)s

-- name: alert_entries
SELECT to_jsonb(e) - 'institution_id' AS row FROM alert_entries e JOIN alerts a ON a.id = e.alert_id
WHERE a.resident_id = %(resident)s

-- name: pages
SELECT to_jsonb(o) - 'institution_id' - 'idempotency_key' - 'channel_id' AS row FROM outbox o
JOIN alerts a ON a.id = o.alert_id WHERE a.resident_id = %(resident)s

-- name: page_links
SELECT jsonb_build_object('alert_id', l.alert_id, 'recipient_name', l.recipient_name, 'created_at', l.created_at,
       'expires_at', l.expires_at, 'used_at', l.used_at) AS row
FROM page_links l JOIN alerts a ON a.id = l.alert_id WHERE a.resident_id = %(resident)s

-- name: service_events
SELECT to_jsonb(e) - 'institution_id' AS row FROM service_events e JOIN service_records r ON r.id = e.record_id
WHERE r.resident_id = %(resident)s

-- name: notices
SELECT to_jsonb(n) - 'institution_id' AS row FROM notices n JOIN service_records r ON r.id = n.record_id
WHERE r.resident_id = %(resident)s

-- name: device_events
SELECT jsonb_build_object('device', d.id, 'time', e.time, 'type', e.type, 'data', e.data) AS row
FROM bindings b JOIN events e ON e.device_key = b.device_key AND e.time >= b.bound_from
     AND e.time < coalesce(b.bound_to, 'infinity') JOIN devices d ON d.key = b.device_key
WHERE b.resident_id = %(resident)s

-- name: readings
SELECT jsonb_build_object('device', d.id, 'metric', m.code, 'unit', m.unit, 'time', r.time, 'value', r.value) AS row
FROM bindings b JOIN devices d ON d.key = b.device_key
CROSS JOIN LATERAL (SELECT metric, time, value FROM tenant_readings WHERE device_key = b.device_key
    AND time >= b.bound_from AND time < coalesce(b.bound_to, 'infinity') OFFSET 0) r
JOIN metrics m ON m.id = r.metric WHERE b.resident_id = %(resident)s

-- name: readings_hourly
SELECT jsonb_build_object('device', d.id, 'metric', m.code, 'unit', m.unit, 'hour', r.bucket, 'count', r.count,
       'avg', r.sum / r.count, 'min', r.min, 'max', r.max) AS row
FROM bindings b JOIN devices d ON d.key = b.device_key
CROSS JOIN LATERAL (SELECT metric, bucket, count, sum, min, max FROM readings_1h WHERE device_key = b.device_key
    AND bucket >= b.bound_from AND bucket <= coalesce(b.bound_to, 'infinity') - interval '1 hour' OFFSET 0) r
JOIN metrics m ON m.id = r.metric WHERE b.resident_id = %(resident)s

-- name: audit
SELECT to_jsonb(l) - 'institution_id' - 'user_id' - 'address' AS row FROM audit_log l
WHERE l.object_type = 'resident' AND l.object_id = %(resident)s::text

-- name: deciders
-- Who may consent for a resident today, with all powers; relatives act after the death alone.
SELECT g.id, g.kind, g.name, g.relation, g.user_id, g.powers
FROM resident_guardians g JOIN residents r ON r.id = g.resident_id
WHERE g.resident_id = %(resident)s AND g.ended_at IS NULL AND g.kind <> 'relative' AND r.status <> 'deceased'
  AND g.valid_from <= %(today)s AND (g.valid_until IS NULL OR g.valid_until >= %(today)s)
ORDER BY g.created_at, g.id LIMIT 100

-- name: wards
-- For whom an account may consent to something today.
SELECT DISTINCT r.id AS resident_id, r.name
FROM resident_guardians g JOIN residents r ON r.id = g.resident_id
WHERE g.user_id = %(user)s AND g.ended_at IS NULL AND g.kind <> 'relative'
  AND r.status NOT IN ('discharged', 'deceased')
  AND g.valid_from <= %(today)s AND (g.valid_until IS NULL OR g.valid_until >= %(today)s)
  AND EXISTS (SELECT FROM unnest(g.powers) power WHERE power LIKE 'consent\_%%')
ORDER BY r.name, r.id LIMIT 50
