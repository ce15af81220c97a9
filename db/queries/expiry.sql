-- What runs out.

-- name: list
SELECT kind, id, title, valid_until, valid_until - %(today)s::date AS days_left FROM expiring_things
WHERE valid_until <= %(until)s
  AND (%(after)s::date IS NULL OR (valid_until, id) > (%(after)s, %(after_id)s::uuid))
ORDER BY valid_until, id LIMIT %(limit)s

-- name: warn
-- One notice for each administrator, thing, end and distance; what was warned of before is passed over.
WITH near AS (
    SELECT t.institution_id, t.kind, t.id, t.title, t.valid_until, min(d.days) AS days
    FROM expiring_things t JOIN unnest(%(days)s::integer[]) AS d (days) ON t.valid_until - %(today)s::date <= d.days
    GROUP BY t.institution_id, t.kind, t.id, t.title, t.valid_until),
fresh AS (
    INSERT INTO expiry_warnings (institution_id, kind, thing_id, valid_until, days, warned_at)
    SELECT institution_id, kind, id, valid_until, days, %(now)s FROM near
    ON CONFLICT DO NOTHING RETURNING thing_id, days, valid_until)
INSERT INTO notices (id, institution_id, user_id, at, zh, en)
SELECT gen_random_uuid(), n.institution_id, u.id, %(now)s,
       left(k.zh || '：' || n.title || CASE WHEN n.valid_until < %(today)s::date THEN ' 已于 ' ELSE ' 将于 ' END
            || n.valid_until || ' 到期', 500),
       left(n.kind || ': ' || n.title || CASE WHEN n.valid_until < %(today)s::date THEN ' expired on '
            ELSE ' expires on ' END || n.valid_until, 500)
FROM near n
JOIN fresh f ON f.thing_id = n.id AND f.days = n.days AND f.valid_until = n.valid_until
JOIN unnest(%(codes)s::text[], %(names)s::text[]) AS k (code, zh) ON k.code = n.kind
JOIN users u ON u.institution_id = n.institution_id AND u.role = 'admin' AND u.disabled_at IS NULL
