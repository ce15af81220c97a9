-- Third parties that fulfil services, their accounts, and the people who come.

-- name: list
SELECT id, name, services, licence, licence_until, phone, blocked_at, blocked_reason, version, created_at
FROM providers
WHERE (%(after)s::timestamptz IS NULL OR (created_at, id) > (%(after)s, %(after_id)s::uuid))
  AND (%(service)s::text IS NULL OR %(service)s = ANY (services))
ORDER BY created_at, id LIMIT %(limit)s

-- name: get
SELECT id, name, services, licence, licence_until, phone, blocked_at, blocked_reason, version, created_at
FROM providers WHERE id = %(id)s

-- name: lock
SELECT version FROM providers WHERE id = %(id)s FOR UPDATE

-- name: insert
INSERT INTO providers (id, institution_id, name, services, licence, licence_until, phone, created_at, updated_at)
VALUES (%(id)s, %(tenant)s, %(name)s, %(services)s, %(licence)s, %(licence_until)s, %(phone)s, %(now)s, %(now)s)
ON CONFLICT DO NOTHING

-- name: update
UPDATE providers SET name = %(name)s, services = %(services)s, licence = %(licence)s, licence_until = %(licence_until)s,
    phone = %(phone)s, version = version + 1, updated_at = %(now)s
WHERE id = %(id)s

-- name: block
UPDATE providers SET blocked_at = %(at)s, blocked_reason = %(reason)s, version = version + 1, updated_at = %(now)s
WHERE id = %(id)s

-- name: add_member
INSERT INTO provider_members (institution_id, provider_id, user_id, added_at)
SELECT %(tenant)s, %(provider)s, u.id, %(now)s FROM users u WHERE u.id = %(user)s AND u.role = 'provider'
ON CONFLICT DO NOTHING

-- name: remove_member
DELETE FROM provider_members WHERE provider_id = %(provider)s AND user_id = %(user)s

-- name: members
SELECT m.user_id, u.name, m.added_at FROM provider_members m JOIN users u ON u.id = m.user_id
WHERE m.provider_id = %(provider)s ORDER BY m.added_at, m.user_id LIMIT 200

-- name: workers
SELECT id, provider_id, user_id, name, phone, duties, post, hired_on, left_on, active, version, created_at FROM workers
WHERE (%(after)s::timestamptz IS NULL OR (created_at, id) > (%(after)s, %(after_id)s::uuid))
  AND (%(provider)s::uuid IS NULL OR provider_id = %(provider)s)
  AND (%(active)s::boolean IS NULL OR active = %(active)s)
ORDER BY created_at, id LIMIT %(limit)s

-- name: worker
SELECT id, provider_id, user_id, name, phone, duties, post, hired_on, left_on, active, version, created_at FROM workers WHERE id = %(id)s

-- name: insert_worker
INSERT INTO workers (id, institution_id, provider_id, user_id, name, phone, duties, post, hired_on, active, created_at,
                     updated_at)
VALUES (%(id)s, %(tenant)s, %(provider_id)s, %(user_id)s, %(name)s, %(phone)s, %(duties)s, %(post)s, %(hired_on)s, true,
        %(now)s, %(now)s)

-- name: set_worker_active
UPDATE workers SET active = %(active)s, 
    left_on = CASE WHEN NOT %(active)s THEN greatest(%(today)s::date, hired_on) END, version = version + 1, updated_at = %(now)s WHERE id = %(id)s

-- name: certificates
SELECT id, kind, category, number, valid_from, valid_until FROM worker_certificates
WHERE worker_id = %(worker)s ORDER BY valid_from DESC, id LIMIT 200

-- name: add_certificate
INSERT INTO worker_certificates (id, institution_id, worker_id, kind, category, number, valid_from, valid_until,
                                 created_at)
VALUES (%(id)s, %(tenant)s, %(worker)s, %(kind)s, %(category)s, %(number)s, %(valid_from)s, %(valid_until)s, %(now)s)
