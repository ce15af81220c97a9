-- What an account should know when it looks next.

-- name: list
SELECT n.id, n.at, n.zh, n.en, n.read_at, n.record_id, r.service, r.kind
FROM notices n LEFT JOIN service_records r ON r.id = n.record_id
WHERE n.user_id = %(user)s AND (%(after)s::timestamptz IS NULL OR (n.at, n.id) < (%(after)s, %(after_id)s::uuid))
  AND (%(unread)s::boolean IS NULL OR %(unread)s = (n.read_at IS NULL))
ORDER BY n.at DESC, n.id DESC LIMIT %(limit)s

-- name: read
UPDATE notices SET read_at = coalesce(read_at, %(now)s) WHERE id = %(id)s AND user_id = %(user)s
RETURNING id

-- name: tell_administrators
-- Every administrator of the house but those who have had their part in it.
INSERT INTO notices (id, institution_id, user_id, at, zh, en)
SELECT gen_random_uuid(), %(tenant)s, u.id, %(now)s, %(zh)s, %(en)s FROM users u
WHERE u.institution_id = %(tenant)s AND u.role = 'admin' AND u.disabled_at IS NULL AND u.id <> ALL (%(but)s::uuid[])
