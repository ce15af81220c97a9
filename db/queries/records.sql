-- Records of the eleven services, their history, and notices about them.

-- name: insert
-- The same id again (a repeated request with one Idempotency-Key) changes nothing.
INSERT INTO service_records (id, institution_id, service, kind, state, final, resident_id, provider_id, worker_id, title,
                             starts_at, ends_at, due_at, price, subsidy, detail, created_at, created_by, updated_at)
VALUES (%(id)s, %(tenant)s, %(service)s, %(kind)s, %(state)s, %(final)s, %(resident_id)s, %(provider_id)s,
        %(worker_id)s, %(title)s, %(starts_at)s, %(ends_at)s, %(due_at)s, %(price)s, %(subsidy)s, %(detail)s, %(now)s,
        %(by)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: get
-- Locked for the one who acts; `viewer` and `member` narrow to what a family or provider account may see.
SELECT r.id, r.service, r.kind, r.state, r.final, r.resident_id, r.provider_id, r.worker_id, r.title, r.starts_at,
       r.ends_at, r.due_at, r.price, r.subsidy, r.detail, r.version, r.created_at, r.created_by, r.updated_at,
       p.name AS resident_name, place_text(p.building, p.floor, p.room, p.address) AS resident_place
FROM service_records r LEFT JOIN residents p ON p.id = r.resident_id
WHERE r.id = %(id)s AND r.service = %(service)s AND r.kind = %(kind)s
  AND (%(viewer)s::uuid IS NULL OR r.state = ANY (%(public)s) OR (%(own)s AND r.created_by = %(viewer)s)
       OR EXISTS (SELECT FROM consents c WHERE c.resident_id = r.resident_id
       AND c.user_id = %(viewer)s AND c.withdrawn_at IS NULL AND (%(scope)s::text IS NULL OR c.scope = %(scope)s)))
  AND (%(member)s::uuid IS NULL OR r.state = ANY (%(public)s) OR EXISTS (SELECT FROM provider_members m
       WHERE m.user_id = %(member)s AND m.provider_id = r.provider_id))

-- name: lock
SELECT version FROM service_records WHERE id = %(id)s AND service = %(service)s AND kind = %(kind)s FOR UPDATE

-- name: list
SELECT r.id, r.service, r.kind, r.state, r.final, r.resident_id, r.provider_id, r.worker_id, r.title, r.starts_at,
       r.ends_at, r.due_at, r.price, r.subsidy, r.detail, r.version, r.created_at, r.created_by, r.updated_at,
       p.name AS resident_name, place_text(p.building, p.floor, p.room, p.address) AS resident_place
FROM service_records r LEFT JOIN residents p ON p.id = r.resident_id
WHERE r.service = %(service)s AND r.kind = %(kind)s
  AND (%(after)s::timestamptz IS NULL OR (r.created_at, r.id) < (%(after)s, %(after_id)s::uuid))
  AND (%(state)s::text IS NULL OR r.state = %(state)s)
  AND (%(resident)s::uuid IS NULL OR r.resident_id = %(resident)s)
  AND (%(provider)s::uuid IS NULL OR r.provider_id = %(provider)s)
  AND (%(worker)s::uuid IS NULL OR r.worker_id = %(worker)s)
  AND (%(unfinished)s::boolean IS NULL OR r.final IS DISTINCT FROM %(unfinished)s)
  AND (%(due_before)s::timestamptz IS NULL OR (r.due_at < %(due_before)s AND NOT r.final))
  AND (%(starts_from)s::timestamptz IS NULL OR r.starts_at >= %(starts_from)s)
  AND (%(starts_to)s::timestamptz IS NULL OR r.starts_at < %(starts_to)s)
  AND (%(viewer)s::uuid IS NULL OR r.state = ANY (%(public)s) OR (%(own)s AND r.created_by = %(viewer)s)
       OR EXISTS (SELECT FROM consents c WHERE c.resident_id = r.resident_id
       AND c.user_id = %(viewer)s AND c.withdrawn_at IS NULL AND (%(scope)s::text IS NULL OR c.scope = %(scope)s)))
  AND (%(member)s::uuid IS NULL OR r.state = ANY (%(public)s) OR EXISTS (SELECT FROM provider_members m
       WHERE m.user_id = %(member)s AND m.provider_id = r.provider_id))
ORDER BY r.created_at DESC, r.id DESC LIMIT %(limit)s

-- name: update
UPDATE service_records SET state = %(state)s, final = %(final)s, resident_id = %(resident_id)s,
    provider_id = %(provider_id)s, worker_id = %(worker_id)s, title = %(title)s, starts_at = %(starts_at)s, ends_at = %(ends_at)s, due_at = %(due_at)s,
    price = %(price)s, subsidy = %(subsidy)s, detail = %(detail)s, version = version + 1, updated_at = %(now)s
WHERE id = %(id)s

-- name: add_event
INSERT INTO service_events (institution_id, record_id, at, user_id, actor, role, action, from_state, to_state, detail)
VALUES (%(tenant)s, %(record)s, %(now)s, %(user)s, %(actor)s, %(role)s, %(action)s, %(from_state)s, %(to_state)s,
        %(detail)s)

-- name: events
SELECT seq, at, actor, role, action, from_state, to_state, detail FROM service_events
WHERE record_id = %(record)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s

-- name: counts
-- How many records of each kind stand in each state, and how many of them are overdue.
SELECT kind, state, count(*) AS records, count(*) FILTER (WHERE NOT final AND due_at < %(now)s) AS overdue
FROM service_records WHERE service = %(service)s GROUP BY kind, state ORDER BY kind, state

-- name: agenda
SELECT r.id, r.service, r.kind, r.state, r.final, r.title, r.resident_id, p.name AS resident_name,
       place_text(p.building, p.floor, p.room, p.address) AS resident_place, r.starts_at, r.ends_at, r.due_at
FROM service_records r LEFT JOIN residents p ON p.id = r.resident_id
WHERE r.institution_id = current_tenant() AND r.starts_at >= %(begin)s AND r.starts_at < %(end)s
  AND r.service <> 'institution' AND (%(unfinished)s::boolean IS NULL OR r.final IS DISTINCT FROM %(unfinished)s)
  AND (%(after)s::timestamptz IS NULL OR (r.starts_at, r.id) > (%(after)s, %(after_id)s::uuid))
ORDER BY r.starts_at, r.id LIMIT %(limit)s

-- name: overdue
SELECT r.id, r.service, r.kind, r.state, r.final, r.title, r.resident_id, p.name AS resident_name,
       place_text(p.building, p.floor, p.room, p.address) AS resident_place, r.starts_at, r.ends_at, r.due_at
FROM service_records r LEFT JOIN residents p ON p.id = r.resident_id
WHERE r.institution_id = current_tenant() AND NOT r.final AND r.due_at IS NOT NULL AND r.due_at < %(now)s
  AND (r.service = 'institution') = %(house)s AND (NOT %(house)s OR r.kind = ANY (%(kinds)s::text[]))
  AND (%(after)s::timestamptz IS NULL OR (r.due_at, r.id) > (%(after)s, %(after_id)s::uuid))
ORDER BY r.due_at, r.id LIMIT %(limit)s

-- name: provider_open
SELECT id FROM providers
WHERE id = %(provider)s AND blocked_at IS NULL AND %(service)s = ANY (services)
  AND (licence_until IS NULL OR licence_until >= %(today)s)

-- name: worker_free
-- The worker, if active and of that provider (or of the institution itself), and what else they do at that time.
SELECT w.id, EXISTS (SELECT FROM service_records r WHERE r.worker_id = w.id AND NOT r.final AND r.id <> %(record)s
       AND r.starts_at < %(ends_at)s AND r.ends_at > %(starts_at)s) AS busy,
       EXISTS (SELECT FROM worker_certificates c WHERE c.worker_id = w.id AND c.category <> 'health'
       AND c.valid_from <= %(today)s
       AND (c.valid_until IS NULL OR c.valid_until >= %(today)s)) AS certified
FROM workers w WHERE w.id = %(worker)s AND w.active AND w.provider_id IS NOT DISTINCT FROM %(provider)s

-- name: notify
-- Everybody in the named groups who may know: family with a standing consent, members of the provider, the worker's
-- own account, the creator, the institution's staff. Nobody is told of what they did themselves.
INSERT INTO notices (id, institution_id, user_id, record_id, at, zh, en)
SELECT gen_random_uuid(), %(tenant)s, u.id, %(record)s, %(now)s, %(zh)s, %(en)s
FROM users u
WHERE u.institution_id = %(tenant)s AND u.disabled_at IS NULL AND u.id IS DISTINCT FROM %(by)s AND (
    ('family' = ANY (%(groups)s) AND EXISTS (SELECT FROM consents c WHERE c.user_id = u.id
        AND c.resident_id = %(resident)s AND c.withdrawn_at IS NULL AND (%(scope)s::text IS NULL OR c.scope = %(scope)s)))
    OR ('provider' = ANY (%(groups)s) AND EXISTS (SELECT FROM provider_members m WHERE m.user_id = u.id
        AND m.provider_id = %(provider)s))
    OR ('worker' = ANY (%(groups)s) AND EXISTS (SELECT FROM workers w WHERE w.user_id = u.id AND w.id = %(worker)s))
    OR ('creator' = ANY (%(groups)s) AND u.id = %(creator)s)
    OR ('admin' = ANY (%(groups)s) AND u.role = 'admin')
    OR ('staff' = ANY (%(groups)s) AND u.role IN ('admin', 'caregiver')))

-- name: past_due
-- Running records whose time is over in a state where the platform acts by itself: `stands` are "service/kind/state".
SELECT id, institution_id, service, kind, state, resident_id, provider_id, worker_id, title, starts_at, ends_at, due_at,
       price, subsidy, detail, created_by
FROM service_records
WHERE NOT final AND due_at < %(now)s AND service || '/' || kind || '/' || state = ANY (%(stands)s)
ORDER BY due_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED

-- name: for_platform
SELECT id, institution_id, service, kind, state, resident_id, provider_id, worker_id, title, starts_at, ends_at, due_at,
       price, subsidy, detail, created_by
FROM service_records WHERE id = %(id)s

-- name: let_go
-- What an older version left as due in a state in which nothing is: `stands` are "service/kind/state" that may be due.
UPDATE service_records SET due_at = NULL
WHERE id IN (SELECT id FROM service_records WHERE NOT final AND due_at < %(now)s
             AND service || '/' || kind || '/' || state <> ALL (%(stands)s) LIMIT %(limit)s)

-- name: put_off
UPDATE service_records SET due_at = %(due_at)s WHERE id = %(id)s
