-- Escalation plans, steps, and whom a step means.

-- name: plan_for
-- The plan of this type, else the institution's general one.
SELECT steps FROM escalation_plans
WHERE institution_id = %(institution_id)s AND (alert_type = %(type)s OR alert_type IS NULL)
ORDER BY alert_type NULLS LAST LIMIT 1

-- name: add_step
INSERT INTO escalation_steps (id, institution_id, alert_id, position, whom, due_at)
VALUES (%(id)s, %(institution_id)s, %(alert_id)s, %(position)s, %(whom)s, %(due_at)s)
RETURNING *

-- name: due
-- Alerts with a step to run; the step itself is taken under its alert's lock.
SELECT s.alert_id, s.institution_id, min(s.due_at) AS due_at
FROM escalation_steps s JOIN alerts a ON a.id = s.alert_id
WHERE s.state = 'pending' AND s.due_at <= %(now)s AND a.state = 'open'
GROUP BY s.alert_id, s.institution_id ORDER BY min(s.due_at) LIMIT 100

-- name: take_due
-- The first due step of one alert, if it is still open and nobody else has the step.
SELECT s.* FROM escalation_steps s JOIN alerts a ON a.id = s.alert_id
WHERE s.alert_id = %(alert_id)s AND s.state = 'pending' AND s.due_at <= %(now)s AND a.state = 'open'
ORDER BY s.due_at, s.position LIMIT 1 FOR UPDATE OF s SKIP LOCKED

-- name: take_next
-- What a person who asks for more help gets: the next step that has not run, also one that an answer had cancelled.
SELECT * FROM escalation_steps
WHERE alert_id = %(alert_id)s AND state <> 'done'
ORDER BY position LIMIT 1 FOR UPDATE

-- name: last_position
SELECT coalesce(max(position), -1)::integer AS position FROM escalation_steps WHERE alert_id = %(alert_id)s

-- name: finish_step
UPDATE escalation_steps SET state = 'done', done_at = %(now)s, reason = %(reason)s WHERE id = %(id)s

-- name: cancel_steps
UPDATE escalation_steps SET state = 'cancelled', done_at = %(now)s, reason = %(reason)s
WHERE alert_id = %(alert_id)s AND state = 'pending'

-- name: stuck
-- Steps that should have run long ago.
SELECT s.id, s.alert_id, s.institution_id, s.due_at, s.position
FROM escalation_steps s JOIN alerts a ON a.id = s.alert_id
WHERE s.state = 'pending' AND a.state = 'open' AND s.due_at < %(before)s
  AND NOT EXISTS (SELECT FROM alert_entries e WHERE e.alert_id = s.alert_id AND e.kind = 'stuck'
                  AND e.data ->> 'step_id' = s.id::text)
ORDER BY s.due_at LIMIT 200

-- name: next_of_alert
SELECT position, whom, due_at FROM escalation_steps
WHERE alert_id = %(alert_id)s AND state = 'pending' ORDER BY due_at, position LIMIT 1

-- name: on_duty
SELECT id, name FROM users
WHERE institution_id = %(institution_id)s AND role = 'caregiver' AND on_duty AND disabled_at IS NULL ORDER BY id

-- name: everyone
SELECT id, name FROM users
WHERE institution_id = %(institution_id)s AND role IN ('caregiver', 'admin') AND disabled_at IS NULL ORDER BY id

-- name: one_user
SELECT id, name FROM users
WHERE institution_id = %(institution_id)s AND id = %(id)s AND disabled_at IS NULL

-- name: contact
-- `consented` is NULL where the contact has no account: then the resident named them by hand.
SELECT c.id, c.name, c.user_id, c.phone,
       CASE WHEN c.user_id IS NULL THEN NULL
            ELSE EXISTS (SELECT FROM consents k WHERE k.resident_id = c.resident_id AND k.user_id = c.user_id
                         AND k.scope = 'alerts' AND k.withdrawn_at IS NULL) END AS consented,
       coalesce((SELECT u.disabled_at IS NOT NULL FROM users u WHERE u.id = c.user_id), false) AS disabled
FROM contacts c WHERE c.resident_id = %(resident_id)s AND c.position = %(position)s

-- name: channels
-- In the order in which they are tried. All three owners NULL means the duty desk.
SELECT id, kind, is_public FROM notification_channels
WHERE institution_id = %(institution_id)s AND enabled
  AND CASE WHEN %(user_id)s::uuid IS NULL AND %(contact_id)s::uuid IS NULL THEN user_id IS NULL AND contact_id IS NULL
           ELSE user_id = %(user_id)s OR contact_id = %(contact_id)s END
ORDER BY position, created_at, id
