-- Links in pages. Only the digest of a token is kept.

-- name: add
INSERT INTO page_links (token_hash, institution_id, outbox_id, alert_id, recipient, recipient_name, created_at,
                        expires_at)
VALUES (%(token_hash)s, %(institution_id)s, %(outbox_id)s, %(alert_id)s, %(recipient)s, %(recipient_name)s, %(now)s,
        %(expires_at)s)

-- name: drop_expired
DELETE FROM page_links WHERE expires_at < %(before)s

-- name: institution
SELECT institution_of_link(%(token_hash)s) AS institution_id

-- name: get
-- With what the page about it says; the recipient's account, if they have one that is open.
SELECT l.*, a.type, a.severity, a.state, a.place, a.occurred_at, a.outcome, r.name AS resident_name,
       i.name_zh AS institution_zh, i.phone AS institution_phone, i.timezone
FROM page_links l JOIN alerts a ON a.id = l.alert_id JOIN institutions i ON i.id = l.institution_id
LEFT JOIN residents r ON r.id = a.resident_id
WHERE l.token_hash = %(token_hash)s

-- name: use
UPDATE page_links SET used_at = %(now)s
WHERE token_hash = %(token_hash)s AND used_at IS NULL AND expires_at > %(now)s

-- name: user
SELECT id, name, role FROM users WHERE id = %(id)s AND disabled_at IS NULL
