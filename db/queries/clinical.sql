-- What people know of a resident that no sensor tells; what is replaced stays as a record.

-- name: list
SELECT c.id, c.kind, c.value, u.name AS author, c.reason, c.valid_from, c.valid_to
FROM resident_clinical c JOIN users u ON u.id = c.author_id
WHERE c.resident_id = %(resident)s ORDER BY c.valid_from DESC, c.id DESC LIMIT 500

-- name: current
SELECT DISTINCT ON (c.kind) c.kind, c.value, u.name AS author, c.valid_from, c.valid_to
FROM resident_clinical c JOIN users u ON u.id = c.author_id
WHERE c.resident_id = %(resident)s AND c.valid_from <= %(now)s AND (c.valid_to IS NULL OR c.valid_to > %(now)s)
ORDER BY c.kind, c.valid_from DESC, c.id DESC

-- name: current_of_all
SELECT DISTINCT ON (c.resident_id, c.kind) r.key AS resident_key, c.kind, c.value
FROM resident_clinical c JOIN residents r ON r.id = c.resident_id
WHERE c.valid_from <= %(now)s AND (c.valid_to IS NULL OR c.valid_to > %(now)s)
ORDER BY c.resident_id, c.kind, c.valid_from DESC, c.id DESC

-- name: end_current
UPDATE resident_clinical SET valid_to = greatest(valid_from, %(now)s)
WHERE resident_id = %(resident)s AND kind = %(kind)s AND (valid_to IS NULL OR valid_to > %(now)s)

-- name: insert
INSERT INTO resident_clinical (id, institution_id, resident_id, kind, value, author_id, reason, valid_from, valid_to)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(kind)s, %(value)s, %(author)s, %(reason)s, %(now)s, %(until)s)
