-- Pages on their way out.

-- name: add
INSERT INTO outbox (id, institution_id, alert_id, step_id, idempotency_key, recipient, recipient_name, channel_id,
                    channel_kind, message, purpose, state, next_attempt_at, last_error, created_at)
VALUES (%(id)s, %(institution_id)s, %(alert_id)s, %(step_id)s, %(idempotency_key)s, %(recipient)s,
        %(recipient_name)s, %(channel_id)s, %(channel_kind)s, %(message)s, %(purpose)s, %(state)s, %(next_attempt_at)s,
        %(last_error)s, %(now)s)
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
UPDATE outbox SET leased_until = %(leased_until)s, attempts = attempts + 1,
    first_attempt_at = coalesce(first_attempt_at, %(now)s)
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
SELECT c.target, c.secret, c.kind, c.is_public, c.is_voice, a.state AS alert_state, a.type, a.severity
FROM alerts a LEFT JOIN notification_channels c ON c.id = %(channel_id)s AND c.enabled
WHERE a.id = %(alert_id)s

-- name: alert
SELECT * FROM alerts WHERE id = %(id)s

-- name: finish
-- Only the holder of the lease may say how it went.
UPDATE outbox SET state = %(state)s, last_error = %(last_error)s, leased_until = NULL, receipt = %(receipt)s,
    sent_at = CASE WHEN %(state)s = 'sent' THEN %(now)s::timestamptz END, next_attempt_at = %(next_attempt_at)s,
    seen_at = CASE WHEN %(seen)s THEN %(now)s::timestamptz ELSE seen_at END,
    seen_by = CASE WHEN %(seen)s THEN 'receiver' ELSE seen_by END
WHERE id = %(id)s AND state = 'pending' AND attempts = %(attempts)s

-- name: count_attempt
INSERT INTO channel_days (channel_id, institution_id, day, sent, failed, last_success_at, last_failure_at, last_error)
SELECT c.id, c.institution_id, (%(now)s::timestamptz AT TIME ZONE 'UTC')::date, %(sent)s, 1 - %(sent)s,
       CASE WHEN %(sent)s = 1 THEN %(now)s::timestamptz END, CASE WHEN %(sent)s = 0 THEN %(now)s::timestamptz END,
       %(error)s
FROM notification_channels c WHERE c.id = %(channel_id)s
ON CONFLICT (channel_id, day) DO UPDATE SET sent = channel_days.sent + excluded.sent,
    failed = channel_days.failed + excluded.failed,
    last_success_at = coalesce(excluded.last_success_at, channel_days.last_success_at),
    last_failure_at = coalesce(excluded.last_failure_at, channel_days.last_failure_at),
    last_error = CASE WHEN excluded.failed > 0 THEN excluded.last_error ELSE channel_days.last_error END

-- name: unseen
-- Pages that a channel took and nobody has seen in the time that the institution gives, while the alert still waits.
SELECT o.* FROM outbox o JOIN alerts a ON a.id = o.alert_id
LEFT JOIN alert_settings s ON s.institution_id = o.institution_id
WHERE o.state = 'sent' AND o.seen_at IS NULL AND o.followed_at IS NULL AND o.channel_kind <> 'console'
  AND o.purpose = 'page' AND a.state = 'open' AND a.severity IN ('critical', 'high')
  AND o.sent_at > %(now)s::timestamptz - interval '1 day'
  AND o.sent_at <= %(now)s::timestamptz - make_interval(secs => coalesce(s.unseen_seconds, %(unseen_seconds)s))
ORDER BY o.sent_at LIMIT 200

-- name: mark_followed
UPDATE outbox SET followed_at = %(now)s WHERE id = %(id)s AND followed_at IS NULL AND seen_at IS NULL

-- name: unseen_by
-- What somebody has been sent about an alert and has not seen yet: an account's own pages, and those to it as contact.
SELECT o.id, o.recipient_name FROM outbox o
WHERE o.alert_id = %(alert_id)s AND o.seen_at IS NULL AND o.state IN ('sent', 'pending')
  AND (o.recipient = 'user:' || %(user_id)s::uuid
       OR o.recipient IN (SELECT 'contact:' || c.id FROM contacts c WHERE c.user_id = %(user_id)s))

-- name: mark_seen
UPDATE outbox SET seen_at = %(now)s, seen_by = %(seen_by)s WHERE id = ANY (%(ids)s::uuid[]) AND seen_at IS NULL

-- name: told_contacts
-- The family that has been told of an alert, to be told how it goes on.
SELECT DISTINCT ON (recipient) recipient, recipient_name FROM outbox
WHERE alert_id = %(alert_id)s AND recipient LIKE 'contact:%%' AND state IN ('sent', 'pending') AND purpose = 'page'
ORDER BY recipient, created_at
