-- Signing in and refresh tokens.

-- name: account_by_username
SELECT * FROM login_account(%(username)s, NULL)

-- name: account_by_id
SELECT id, institution_id, site, username, role, name, token_version, disabled, must_change_password, has_otp,
       otp_demanded
FROM login_account(NULL, %(id)s)

-- name: insert_refresh
INSERT INTO refresh_tokens (id, institution_id, user_id, family_id, token_hash, issued_at, expires_at)
VALUES (%(id)s, %(tenant)s, %(user)s, %(family)s, %(hash)s, %(now)s, %(expires)s)

-- name: lock_refresh
SELECT id, user_id, family_id, token_hash, expires_at, used_at, revoked_at
FROM refresh_tokens WHERE id = %(id)s FOR UPDATE

-- name: use_refresh
UPDATE refresh_tokens SET used_at = %(now)s WHERE id = %(id)s

-- name: revoke_family
UPDATE refresh_tokens SET revoked_at = %(now)s WHERE family_id = %(family)s AND revoked_at IS NULL

-- name: revoke_user
UPDATE refresh_tokens SET revoked_at = %(now)s WHERE user_id = %(user)s AND revoked_at IS NULL
