-- Whom to call for a resident, in order.

-- name: list
SELECT id, position, name, relation, phone, user_id, quiet_from, quiet_to, zone, wants_updates, created_at FROM contacts
WHERE resident_id = %(resident)s ORDER BY position

-- name: insert
INSERT INTO contacts (id, institution_id, resident_id, position, name, relation, phone, user_id, created_at)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(position)s, %(name)s, %(relation)s, %(phone)s, %(user)s, %(now)s)
ON CONFLICT (resident_id, position) DO NOTHING
RETURNING id, position, name, relation, phone, user_id, quiet_from, quiet_to, zone, wants_updates, created_at

-- name: next_position
SELECT coalesce(max(position), 0) + 1 AS position FROM contacts WHERE resident_id = %(resident)s

-- name: delete
DELETE FROM contacts WHERE id = %(id)s AND resident_id = %(resident)s

-- name: set_aside
UPDATE contacts SET position = -position WHERE resident_id = %(resident)s AND position > 0

-- name: put_back
UPDATE contacts SET position = %(position)s WHERE id = %(id)s AND resident_id = %(resident)s

-- name: set_quiet
-- `user` limits it to the contact that is this account.
UPDATE contacts SET quiet_from = %(quiet_from)s, quiet_to = %(quiet_to)s, zone = %(zone)s,
    wants_updates = %(wants_updates)s
WHERE id = %(id)s AND resident_id = %(resident)s AND (%(user)s::uuid IS NULL OR user_id = %(user)s)
RETURNING id, position, name, relation, phone, user_id, quiet_from, quiet_to, zone, wants_updates, created_at
