-- Where pages go, and how well each way works.

-- name: list
-- `owner` limits the list to one account's own; health since a day.
SELECT n.id, n.user_id, n.contact_id, n.kind, n.position, split_part(n.target, '://', 1) AS scheme, n.is_public,
       n.is_voice, n.purpose, n.enabled, n.created_at, coalesce(u.name, c.name) AS owner_name, h.*
FROM notification_channels n LEFT JOIN users u ON u.id = n.user_id LEFT JOIN contacts c ON c.id = n.contact_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(d.sent), 0)::integer AS sent, coalesce(sum(d.failed), 0)::integer AS failed,
           max(d.last_success_at) AS last_success_at, max(d.last_failure_at) AS last_failure_at,
           coalesce((array_agg(d.last_error ORDER BY d.last_failure_at DESC)
                     FILTER (WHERE d.last_failure_at IS NOT NULL))[1], '') AS last_error
    FROM channel_days d WHERE d.channel_id = n.id AND d.day >= %(since)s) h
WHERE %(owner)s::uuid IS NULL OR n.user_id = %(owner)s
ORDER BY n.created_at, n.id

-- name: add
INSERT INTO notification_channels (id, institution_id, user_id, contact_id, kind, position, target, secret, is_public,
                                   is_voice, purpose, created_at)
VALUES (%(id)s, %(institution_id)s, %(user_id)s, %(contact_id)s, %(kind)s, %(position)s, %(target)s, %(secret)s,
        %(is_public)s, %(is_voice)s, %(purpose)s, %(now)s)

-- name: delete
DELETE FROM notification_channels WHERE id = %(id)s AND (%(owner)s::uuid IS NULL OR user_id = %(owner)s)

-- name: user_exists
SELECT id FROM users WHERE id = %(id)s AND disabled_at IS NULL

-- name: contact_exists
SELECT id FROM contacts WHERE id = %(id)s
