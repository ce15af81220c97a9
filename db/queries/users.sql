-- Accounts of an institution.

-- name: list
SELECT id, username, role, name, phone, on_duty, disabled_at,
       must_change_password, created_at FROM users
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
SELECT id, username, role, name, phone, on_duty, disabled_at,
       must_change_password, created_at FROM users WHERE id = %(id)s

-- name: insert
INSERT INTO users (id, institution_id, username, password_hash, role, name, phone, on_duty,
                   must_change_password, created_at)
VALUES (%(id)s, %(tenant)s, %(username)s, %(hash)s, %(role)s, %(name)s, %(phone)s, %(on_duty)s,
        %(must_change_password)s, %(now)s)
ON CONFLICT (username) DO NOTHING
RETURNING id, username, role, name, phone, on_duty, disabled_at,
       must_change_password, created_at

-- name: update
-- A new password or a disabled account ends every token that was given out before.
UPDATE users SET
    name = coalesce(%(name)s, name),
    phone = coalesce(%(phone)s, phone),
    on_duty = coalesce(%(on_duty)s, on_duty),
    password_hash = coalesce(%(hash)s, password_hash),
    must_change_password = must_change_password OR %(hash)s::text IS NOT NULL,
    disabled_at = CASE WHEN %(disabled)s::boolean IS NULL THEN disabled_at
                       WHEN %(disabled)s THEN coalesce(disabled_at, %(now)s) END,
    token_version = token_version + CASE WHEN %(hash)s::text IS NOT NULL OR %(disabled)s THEN 1 ELSE 0 END
WHERE id = %(id)s
RETURNING id, username, role, name, phone, on_duty, disabled_at,
       must_change_password, created_at

-- name: set_own_password
UPDATE users SET password_hash = %(hash)s, token_version = token_version + 1, must_change_password = false,
    password_changed_at = %(now)s
WHERE id = %(id)s

-- name: end_sessions
UPDATE users SET token_version = token_version + 1 WHERE id = %(id)s

-- name: password_hash
SELECT password_hash FROM users WHERE id = %(id)s
