-- Pages on their way out.

-- name: add
INSERT INTO outbox (id, institution_id, alert_id, step_id, idempotency_key, recipient, recipient_name, channel_id,
                    channel_kind, message, state, next_attempt_at, last_error, created_at)
VALUES (%(id)s, %(institution_id)s, %(alert_id)s, %(step_id)s, %(idempotency_key)s, %(recipient)s,
        %(recipient_name)s, %(channel_id)s, %(channel_kind)s, %(message)s, %(state)s, %(now)s, %(last_error)s, %(now)s)
ON CONFLICT (idempotency_key) DO NOTHING
RETURNING id

-- name: wake
SELECT pg_notify('anhu_outbox', '')

-- name: recent_pages
-- Pages to one recipient since a time; with an alert, only that alert's.
SELECT count(*) AS n FROM outbox
WHERE institution_id = %(institution_id)s AND recipient = %(recipient)s AND created_at > %(since)s
  AND channel_kind <> 'console' AND state <> 'cancelled'
  AND (%(alert_id)s::uuid IS NULL OR alert_id = %(alert_id)s)

-- name: send_console
-- A page inside the product has arrived as soon as it is committed: whoever watches the stream sees it.
UPDATE outbox SET state = 'sent', sent_at = %(now)s, attempts = attempts + 1
WHERE id IN (SELECT id FROM outbox WHERE state = 'pending' AND channel_kind = 'console'
             ORDER BY next_attempt_at LIMIT 500 FOR UPDATE SKIP LOCKED)
RETURNING id, created_at

-- name: lease_turn
-- One lease at a time, across processes: the bound on workers per channel is counted, and must see the others' leases.
SELECT pg_advisory_xact_lock(hashtext('anhu outbox lease'))

-- name: lease
-- One page that is due. First attempts go before repeated ones, and no channel holds more than two workers, so that a
-- receiver that hangs cannot keep everybody else's pages waiting.
UPDATE outbox SET leased_until = %(leased_until)s, attempts = attempts + 1
WHERE id = (
    SELECT o.id FROM outbox o
    WHERE o.state = 'pending' AND o.channel_kind <> 'console' AND o.next_attempt_at <= %(now)s
      AND (o.leased_until IS NULL OR o.leased_until < %(now)s)
      AND (SELECT count(*) FROM outbox b WHERE b.state = 'pending' AND b.channel_id = o.channel_id
           AND b.leased_until >= %(now)s) < 2
    ORDER BY o.attempts > 0, o.next_attempt_at, o.id LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING *

-- name: target
-- Where a page goes, read at the last moment: a channel that was removed or switched off gets nothing.
SELECT c.target, c.secret, c.kind, a.state AS alert_state, a.type, a.severity
FROM alerts a LEFT JOIN notification_channels c ON c.id = %(channel_id)s AND c.enabled
WHERE a.id = %(alert_id)s

-- name: finish
-- Only the holder of the lease may say how it went.
UPDATE outbox SET state = %(state)s, last_error = %(last_error)s, leased_until = NULL,
    sent_at = CASE WHEN %(state)s = 'sent' THEN %(now)s::timestamptz END, next_attempt_at = %(next_attempt_at)s
WHERE id = %(id)s AND state = 'pending' AND attempts = %(attempts)s

-- name: contact_user
SELECT user_id FROM contacts WHERE id = %(id)s
