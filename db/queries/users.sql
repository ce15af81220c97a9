-- Accounts of an institution.

-- name: list
SELECT id, username, role, name, phone, on_duty, disabled_at, created_at FROM users
WHERE (%(after)s::timestamptz IS NULL OR (created_at, id) > (%(after)s, %(after_id)s::uuid))
  AND (%(role)s::text IS NULL OR role = %(role)s)
  AND institution_id = current_tenant()
ORDER BY created_at, id LIMIT %(limit)s

-- name: colleagues
SELECT id, name, role, on_duty, created_at FROM users
WHERE institution_id = current_tenant() AND role IN ('admin', 'caregiver') AND disabled_at IS NULL
  AND (%(after)s::timestamptz IS NULL OR (created_at, id) > (%(after)s, %(after_id)s::uuid))
ORDER BY created_at, id LIMIT %(limit)s

-- name: get
SELECT id, username, role, name, phone, on_duty, disabled_at, created_at FROM users WHERE id = %(id)s

-- name: insert
INSERT INTO users (id, institution_id, username, password_hash, role, name, phone, on_duty, created_at)
VALUES (%(id)s, %(tenant)s, %(username)s, %(hash)s, %(role)s, %(name)s, %(phone)s, %(on_duty)s, %(now)s)
ON CONFLICT (username) DO NOTHING
RETURNING id, username, role, name, phone, on_duty, disabled_at, created_at

-- name: update
-- A new password or a disabled account ends every token that was given out before.
UPDATE users SET
    name = coalesce(%(name)s, name),
    phone = coalesce(%(phone)s, phone),
    on_duty = coalesce(%(on_duty)s, on_duty),
    password_hash = coalesce(%(hash)s, password_hash),
    disabled_at = CASE WHEN %(disabled)s::boolean IS NULL THEN disabled_at
                       WHEN %(disabled)s THEN coalesce(disabled_at, %(now)s) END,
    token_version = token_version + CASE WHEN %(hash)s::text IS NOT NULL OR %(disabled)s THEN 1 ELSE 0 END
WHERE id = %(id)s
RETURNING id, username, role, name, phone, on_duty, disabled_at, created_at

-- name: password_hash
SELECT password_hash FROM users WHERE id = %(id)s
