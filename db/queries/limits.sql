-- Vital limits of one person: who set them, why, since when. What is replaced stays as a record.

-- name: list
SELECT l.id, l.metric, l.low, l.high, l.low_critical, l.high_critical, u.name AS author, l.reason, l.valid_from,
       l.valid_to
FROM vital_limits l JOIN users u ON u.id = l.author_id
WHERE l.resident_id = %(resident)s ORDER BY l.valid_from DESC, l.id DESC LIMIT 500

-- name: end_current
UPDATE vital_limits SET valid_to = greatest(valid_from, %(now)s)
WHERE resident_id = %(resident)s AND metric = %(metric)s AND (valid_to IS NULL OR valid_to > %(now)s)

-- name: insert
INSERT INTO vital_limits (id, institution_id, resident_id, metric, low, high, low_critical, high_critical, author_id,
                          reason, valid_from, valid_to)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(metric)s, %(low)s, %(high)s, %(low_critical)s, %(high_critical)s,
        %(author)s, %(reason)s, %(now)s, %(until)s)

-- name: tell
SELECT pg_notify('anhu_device', '')
