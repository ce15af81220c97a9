-- Second factors of accounts.

-- name: get
SELECT o.confirmed_at,
       (SELECT count(*) FROM user_recovery_codes c WHERE c.user_id = o.user_id AND c.used_at IS NULL) AS codes_left
FROM user_otp o WHERE o.user_id = %(user)s

-- name: lock
SELECT salt, confirmed_at, last_step, failures, failures_until FROM user_otp WHERE user_id = %(user)s FOR UPDATE

-- name: begin
-- Begun again as often as somebody likes, until it counts.
INSERT INTO user_otp (user_id, institution_id, salt, created_at) VALUES (%(user)s, %(tenant)s, %(salt)s, %(now)s)
ON CONFLICT (user_id) DO UPDATE SET salt = excluded.salt, created_at = excluded.created_at, last_step = 0
WHERE user_otp.confirmed_at IS NULL

-- name: confirm
UPDATE user_otp SET confirmed_at = %(now)s, last_step = %(step)s, failures = 0 WHERE user_id = %(user)s

-- name: use_step
UPDATE user_otp SET last_step = %(step)s, failures = 0 WHERE user_id = %(user)s AND last_step < %(step)s

-- name: failed
UPDATE user_otp SET failures = CASE WHEN failures_until > %(now)s THEN failures + 1 ELSE 1 END,
    failures_until = CASE WHEN failures_until > %(now)s THEN failures_until ELSE %(until)s END
WHERE user_id = %(user)s

-- name: use_recovery_code
UPDATE user_recovery_codes SET used_at = %(now)s
WHERE user_id = %(user)s AND code_hash = %(hash)s AND used_at IS NULL

-- name: insert_recovery_code
INSERT INTO user_recovery_codes (user_id, institution_id, code_hash) VALUES (%(user)s, %(tenant)s, %(hash)s)

-- name: drop_recovery_codes
DELETE FROM user_recovery_codes WHERE user_id = %(user)s

-- name: drop
DELETE FROM user_otp WHERE user_id = %(user)s

-- name: settings
SELECT otp_roles, version, updated_at FROM institution_security WHERE institution_id = %(tenant)s

-- name: put_settings
INSERT INTO institution_security (institution_id, otp_roles, updated_at) VALUES (%(tenant)s, %(otp_roles)s, %(now)s)
ON CONFLICT (institution_id) DO UPDATE SET otp_roles = excluded.otp_roles,
    version = institution_security.version + 1, updated_at = excluded.updated_at
RETURNING otp_roles, version, updated_at

-- name: without_factor
-- How many accounts of these roles must still set one up.
SELECT count(*) AS accounts FROM users u
WHERE u.institution_id = %(tenant)s AND u.disabled_at IS NULL AND u.role = ANY (%(otp_roles)s::text[])
  AND NOT EXISTS (SELECT FROM user_otp o WHERE o.user_id = u.id AND o.confirmed_at IS NOT NULL)

-- name: drop_by_username
-- By an operator, for somebody who has lost phone and codes.
WITH codes AS (
    DELETE FROM user_recovery_codes WHERE user_id = (SELECT id FROM users WHERE username = %(username)s)
)
DELETE FROM user_otp WHERE user_id = (SELECT id FROM users WHERE username = %(username)s)
