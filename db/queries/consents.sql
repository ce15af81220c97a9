-- Who may see what of a resident. A consent counts from the moment it is committed until it is withdrawn.

-- name: scopes
SELECT scope FROM consents WHERE resident_id = %(resident)s AND user_id = %(user)s AND withdrawn_at IS NULL

-- name: scopes_of_viewer
SELECT resident_id, array_agg(scope ORDER BY scope) AS scopes FROM consents
WHERE user_id = %(user)s AND withdrawn_at IS NULL AND resident_id = ANY (%(residents)s::uuid[]) GROUP BY resident_id

-- name: list
SELECT c.id, c.user_id, u.username, u.name, c.scope, c.granted_at, c.granted_by, c.guardian_id,
       c.withdrawn_at
FROM consents c JOIN users u ON u.id = c.user_id
WHERE c.resident_id = %(resident)s ORDER BY c.granted_at, c.id

-- name: insert
INSERT INTO consents (id, institution_id, resident_id, user_id, scope, granted_at, granted_by, guardian_id)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(user)s, %(scope)s, %(now)s, %(granted_by)s, %(guardian)s)
ON CONFLICT (resident_id, user_id, scope) WHERE withdrawn_at IS NULL DO NOTHING

-- name: withdraw
UPDATE consents SET withdrawn_at = %(now)s
WHERE id = %(id)s AND resident_id = %(resident)s AND withdrawn_at IS NULL

-- name: get
SELECT c.id, c.user_id, u.username, u.name, c.scope, c.granted_at, c.granted_by, c.guardian_id,
       c.withdrawn_at
FROM consents c JOIN users u ON u.id = c.user_id WHERE c.id = %(id)s AND c.resident_id = %(resident)s
