-- The feed of committed batches.

-- name: append
WITH head AS (UPDATE feed_head SET seq = seq + 1 RETURNING seq),
     told AS (SELECT pg_notify('anhu_feed', ''))
INSERT INTO feed (seq, kind, rows, payload, received)
SELECT head.seq, %(kind)s, %(rows)s, %(payload)s, %(received)s FROM head, told

-- name: read_after
SELECT seq, kind, payload, received FROM feed WHERE seq > %(seq)s ORDER BY seq LIMIT %(limit)s

-- name: follower
SELECT name, seq, checkpoint_seq, checkpoint FROM feed_followers WHERE name = %(name)s

-- name: start_follower
INSERT INTO feed_followers (name, seq, checkpoint_seq, updated_at)
SELECT %(name)s, seq, seq, %(now)s FROM feed_head ON CONFLICT (name) DO NOTHING

-- name: advance_follower
UPDATE feed_followers SET seq = %(seq)s, updated_at = %(now)s WHERE name = %(name)s AND seq < %(seq)s

-- name: checkpoint_follower
UPDATE feed_followers SET checkpoint_seq = %(seq)s, checkpoint = %(checkpoint)s, updated_at = %(now)s
WHERE name = %(name)s

-- name: drop_consumed
-- Kept until every follower has it behind its checkpoint, and a little longer for a look back.
DELETE FROM feed WHERE seq <= (SELECT min(checkpoint_seq) FROM feed_followers) AND received < %(before)s
