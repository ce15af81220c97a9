-- Licences of the institution.

-- name: list
SELECT id, kind, number, issued_by, valid_from, valid_until, revoked_at,
       revoked_at IS NULL AND valid_from <= %(today)s AND (valid_until IS NULL OR valid_until >= %(today)s) AS valid
FROM institution_licences ORDER BY kind, valid_from DESC, id DESC LIMIT 500

-- name: add
INSERT INTO institution_licences (id, institution_id, kind, number, issued_by, valid_from, valid_until, created_at)
VALUES (%(id)s, %(tenant)s, %(kind)s, %(number)s, %(issued_by)s, %(valid_from)s, %(valid_until)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: revoke
UPDATE institution_licences SET revoked_at = coalesce(revoked_at, %(now)s) WHERE id = %(id)s
