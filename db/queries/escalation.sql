-- Escalation plans, steps, and whom a step means.

-- name: plan_for
-- The plan that says most: of this type in this building, of this type, of this building, the general one.
SELECT steps FROM escalation_plans
WHERE institution_id = %(institution_id)s AND (alert_type = %(type)s OR alert_type IS NULL)
  AND building IN ('', %(building)s)
ORDER BY alert_type NULLS LAST, building DESC LIMIT 1

-- name: plans
SELECT alert_type, building, steps, version, updated_at FROM escalation_plans
ORDER BY alert_type NULLS FIRST, building

-- name: put_plan
INSERT INTO escalation_plans (id, institution_id, alert_type, building, steps, updated_at)
SELECT %(id)s, %(institution_id)s, %(alert_type)s, %(building)s, %(steps)s, %(now)s
WHERE coalesce(%(known)s::integer, 0) = 0
   OR EXISTS (SELECT FROM escalation_plans
              WHERE alert_type IS NOT DISTINCT FROM %(alert_type)s AND building = %(building)s)
ON CONFLICT (institution_id, building, alert_type) DO UPDATE
SET steps = excluded.steps, version = escalation_plans.version + 1, updated_at = excluded.updated_at
WHERE %(known)s::integer IS NULL OR escalation_plans.version = %(known)s
RETURNING alert_type, building, steps, version, updated_at

-- name: delete_plan
DELETE FROM escalation_plans WHERE alert_type IS NOT DISTINCT FROM %(alert_type)s AND building = %(building)s

-- name: active_staff
SELECT id FROM users WHERE id = ANY (%(ids)s::uuid[]) AND role IN ('admin', 'caregiver') AND disabled_at IS NULL

-- name: has_rescue
SELECT id FROM notification_channels WHERE purpose = 'rescue' AND enabled LIMIT 1

-- name: settings
SELECT pages_per_minute_max, unseen_seconds, version, updated_at FROM alert_settings
WHERE institution_id = %(institution_id)s

-- name: put_settings
INSERT INTO alert_settings (institution_id, pages_per_minute_max, unseen_seconds, updated_at)
VALUES (%(institution_id)s, %(pages_per_minute_max)s, %(unseen_seconds)s, %(now)s)
ON CONFLICT (institution_id) DO UPDATE SET pages_per_minute_max = excluded.pages_per_minute_max,
    unseen_seconds = excluded.unseen_seconds, version = alert_settings.version + 1, updated_at = excluded.updated_at
WHERE %(known)s::integer IS NULL OR alert_settings.version = %(known)s
RETURNING pages_per_minute_max, unseen_seconds, version, updated_at

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

-- name: place
SELECT building, floor FROM residents WHERE id = %(resident_id)s

-- name: everyone
SELECT id, name FROM users
WHERE institution_id = %(institution_id)s AND role IN ('caregiver', 'admin') AND disabled_at IS NULL ORDER BY id

-- name: one_user
SELECT id, name FROM users
WHERE institution_id = %(institution_id)s AND id = %(id)s AND disabled_at IS NULL

-- name: contact
-- `scopes` are the purposes for which the resident's consent to this account stands; a contact without an account was
-- named by the resident by hand.
SELECT c.id, c.name, c.user_id, c.phone, c.quiet_from, c.quiet_to, c.zone, c.wants_updates,
       ARRAY(SELECT k.scope FROM consents k WHERE k.resident_id = c.resident_id AND k.user_id = c.user_id
             AND k.withdrawn_at IS NULL) AS scopes,
       coalesce((SELECT u.disabled_at IS NOT NULL FROM users u WHERE u.id = c.user_id), false) AS disabled
FROM contacts c WHERE c.resident_id = %(resident_id)s AND c.position = %(position)s

-- name: contact_by_id
SELECT c.id, c.name, c.user_id, c.phone, c.quiet_from, c.quiet_to, c.zone, c.wants_updates,
       ARRAY(SELECT k.scope FROM consents k WHERE k.resident_id = c.resident_id AND k.user_id = c.user_id
             AND k.withdrawn_at IS NULL) AS scopes,
       coalesce((SELECT u.disabled_at IS NOT NULL FROM users u WHERE u.id = c.user_id), false) AS disabled
FROM contacts c WHERE c.id = %(id)s

-- name: channels
-- In the order in which they are tried, what rings last. Both owners NULL means the duty desk.
SELECT id, kind, is_public, is_voice, split_part(target, '://', 1) AS scheme FROM notification_channels
WHERE institution_id = %(institution_id)s AND enabled AND purpose = 'page'
  AND CASE WHEN %(user_id)s::uuid IS NULL AND %(contact_id)s::uuid IS NULL THEN user_id IS NULL AND contact_id IS NULL
           ELSE user_id = %(user_id)s OR contact_id = %(contact_id)s END
ORDER BY is_voice, position, created_at, id

-- name: rescue_channels
SELECT id, kind, is_public, is_voice, split_part(target, '://', 1) AS scheme FROM notification_channels
WHERE institution_id = %(institution_id)s AND enabled AND purpose = 'rescue'
ORDER BY is_voice, position, created_at, id
