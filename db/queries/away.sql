-- Who is away, and what is held meanwhile.

-- name: current
-- The absence that counts at a moment.
SELECT id, institution_id, resident_id, kind, begins_at, until FROM resident_away
WHERE resident_id = %(resident)s AND ended_at IS NULL AND begins_at <= %(now)s AND until > %(now)s

-- name: due
-- Absences whose end has come.
SELECT id, institution_id, resident_id FROM resident_away WHERE ended_at IS NULL AND until <= %(now)s
ORDER BY until LIMIT 100

-- name: begin
INSERT INTO resident_away (id, institution_id, resident_id, kind, begins_at, until, reason, author_id, author,
                           created_at)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(kind)s, %(begins_at)s, %(until)s, %(reason)s, %(author_id)s, %(author)s,
        %(now)s)
ON CONFLICT (resident_id) WHERE ended_at IS NULL DO NOTHING

-- name: end
UPDATE resident_away SET ended_at = %(now)s, ended_by = %(by)s
WHERE resident_id = %(resident)s AND ended_at IS NULL

-- name: status
-- The record says so too; somebody who has left for good stays so.
UPDATE residents SET status = %(status)s, version = version + 1, updated_at = %(now)s
WHERE id = %(resident)s AND status IN ('active', 'away', 'hospital') AND status <> %(status)s

-- name: list
SELECT id, kind, begins_at, until, reason, author, created_at, ended_at, ended_by FROM resident_away
WHERE resident_id = %(resident)s
  AND (%(before)s::timestamptz IS NULL OR (begins_at, id) < (%(before)s, %(before_id)s::uuid))
ORDER BY begins_at DESC, id DESC LIMIT %(limit)s

-- name: findings
-- What was held meanwhile, by type.
SELECT away_id, type, (array_agg(severity ORDER BY id DESC))[1] AS severity, count(*) AS count,
       min(occurred_at) AS occurred_at, max(occurred_at) AS last_at,
       CASE WHEN bool_and(cleared_at IS NOT NULL) THEN max(cleared_at) END AS cleared_at,
       max(released_at) AS released_at
FROM alert_suppressions WHERE away_id = ANY (%(ids)s::uuid[]) GROUP BY away_id, type ORDER BY min(occurred_at), type
