-- The record of who read or wrote what.

-- name: append
INSERT INTO audit_log (institution_id, at, user_id, username, role, action, object_type, object_id, detail, request_id,
                       address, success)
VALUES (%(tenant)s, %(now)s, %(user)s, %(username)s, %(role)s, %(action)s, %(object_type)s, %(object_id)s, %(detail)s,
        %(request_id)s, %(address)s, %(success)s)

-- name: list
SELECT id, at, user_id, username, role, action, object_type, object_id, detail, request_id, address, success
FROM audit_log
WHERE (%(before)s::bigint IS NULL OR id < %(before)s)
  AND (%(object_type)s::text IS NULL OR object_type = %(object_type)s)
  AND (%(object_id)s::text IS NULL OR object_id = %(object_id)s)
  AND (%(user)s::uuid IS NULL OR user_id = %(user)s)
ORDER BY id DESC LIMIT %(limit)s
