-- Templates of plans, tasks of a day, notes of nurses, what a shift hands on.

-- name: template
SELECT care_level, problems, goals, measures, updated_at FROM care_plan_templates WHERE care_level = %(level)s

-- name: templates
SELECT care_level, problems, goals, measures, updated_at FROM care_plan_templates ORDER BY care_level

-- name: set_template
INSERT INTO care_plan_templates (institution_id, care_level, problems, goals, measures, updated_at)
VALUES (%(tenant)s, %(level)s, %(problems)s, %(goals)s, %(measures)s, %(now)s)
ON CONFLICT (institution_id, care_level) DO UPDATE SET problems = excluded.problems, goals = excluded.goals,
    measures = excluded.measures, updated_at = excluded.updated_at

-- name: tasks
-- What the plans that hold (in force, or in force and under review) ask for on a day in China, with what came of it.
-- A day counts from the one on which the plan came into force. Places are written for the rows shown alone.
WITH due AS (
    SELECT r.id AS plan_id, coalesce((r.detail ->> 'edition')::integer, 1) AS edition, (m.number - 1)::integer AS measure,
           m.value ->> 'what' AS what, %(begins)s::timestamptz + t.at::interval AS due_at, r.resident_id
    FROM service_records r
    CROSS JOIN LATERAL jsonb_array_elements(r.detail -> 'measures') WITH ORDINALITY AS m (value, number)
    CROSS JOIN LATERAL (SELECT DISTINCT jsonb_array_elements_text(m.value -> 'times')) AS t (at)
    CROSS JOIN LATERAL (SELECT %(day)s::date - coalesce((r.detail ->> 'active_on')::date, %(day)s::date)) AS age (days)
    WHERE r.service = 'health' AND r.kind = 'plan' AND r.state IN ('active', 'review')
      AND (%(resident)s::uuid IS NULL OR r.resident_id = %(resident)s)
      AND (%(plan)s::uuid IS NULL OR r.id = %(plan)s)
      AND age.days >= 0 AND age.days %% coalesce((m.value ->> 'every_days')::integer, 1) = 0
      AND (coalesce(jsonb_array_length(m.value -> 'weekdays'), 0) = 0
           OR m.value -> 'weekdays' @> to_jsonb(extract(isodow FROM %(day)s::date)::integer))
), told AS (
    SELECT d.*, k.note, k.marked_at, k.marked_name,
           coalesce(k.result, CASE WHEN d.due_at < %(missed_before)s THEN 'missed' ELSE 'due' END) AS state
    FROM due d LEFT JOIN care_task_marks k USING (plan_id, edition, measure, due_at)
), shown AS (
    SELECT t.*, p.name, p.building, p.floor, p.room, p.address
    FROM told t JOIN residents p ON p.id = t.resident_id
    WHERE p.status NOT IN ('discharged', 'deceased')
      AND (%(states)s::text[] IS NULL OR t.state = ANY (%(states)s))
      AND (%(after)s::timestamptz IS NULL
           OR (t.due_at, t.plan_id, t.measure) > (%(after)s, %(after_id)s::uuid, %(after_number)s::integer))
    ORDER BY t.due_at, t.plan_id, t.measure LIMIT %(limit)s
)
SELECT plan_id, edition, measure, due_at, what, resident_id, name AS resident_name,
       place_text(building, floor, room, address) AS resident_place, state, coalesce(note, '') AS note, marked_at,
       marked_name AS marked_by
FROM shown ORDER BY due_at, plan_id, measure

-- name: plan
SELECT id FROM service_records WHERE id = %(plan)s AND service = 'health' AND kind = 'plan'

-- name: mark
INSERT INTO care_task_marks (institution_id, plan_id, edition, measure, due_at, resident_id, what, result, note,
                             marked_at, marked_by, marked_name)
VALUES (%(tenant)s, %(plan)s, %(edition)s, %(measure)s, %(due_at)s, %(resident)s, %(what)s, %(result)s, %(note)s,
        %(now)s, %(by)s, %(name)s)
ON CONFLICT DO NOTHING

-- name: notes
-- The newest version of each note.
SELECT n.id, n.first_id, n.version, n.resident_id, p.name AS resident_name, n.observed_at, n.kind, n.text, n.important,
       n.reason, n.written_at, n.author
FROM nursing_notes n JOIN residents p ON p.id = n.resident_id
WHERE NOT EXISTS (SELECT FROM nursing_notes m WHERE m.first_id = n.first_id AND m.version > n.version)
  AND (%(resident)s::uuid IS NULL OR n.resident_id = %(resident)s)
  AND (%(kind)s::text IS NULL OR n.kind = %(kind)s)
  AND (%(important)s::boolean IS NULL OR n.important = %(important)s)
  AND (%(begins)s::timestamptz IS NULL OR n.observed_at >= %(begins)s)
  AND (%(ends)s::timestamptz IS NULL OR n.observed_at < %(ends)s)
  AND (%(before)s::timestamptz IS NULL OR (n.observed_at, n.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY n.observed_at DESC, n.id DESC LIMIT %(limit)s

-- name: versions
SELECT n.id, n.first_id, n.version, n.resident_id, p.name AS resident_name, n.observed_at, n.kind, n.text, n.important,
       n.reason, n.written_at, n.author
FROM nursing_notes n JOIN residents p ON p.id = n.resident_id
WHERE n.resident_id = %(resident)s
  AND n.first_id = (SELECT first_id FROM nursing_notes WHERE id = %(id)s AND resident_id = %(resident)s)
ORDER BY n.version DESC LIMIT 100

-- name: add_note
INSERT INTO nursing_notes (id, institution_id, resident_id, first_id, version, observed_at, kind, text, important,
                           reason, written_at, author_id, author)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(first)s, %(version)s, %(observed_at)s, %(kind)s, %(text)s, %(important)s,
        %(reason)s, %(now)s, %(by)s, %(name)s)
ON CONFLICT DO NOTHING

-- name: shift_alerts
-- Opened in the shift, or still open at its end.
SELECT a.id, a.resident_id, p.name AS resident_name, a.type, a.severity, a.state, a.outcome, a.opened_at, a.resolved_at
FROM alerts a LEFT JOIN residents p ON p.id = a.resident_id
WHERE (a.opened_at >= %(begins)s AND a.opened_at < %(ends)s) OR (a.state <> 'resolved' AND a.opened_at < %(ends)s)
ORDER BY a.opened_at DESC, a.id DESC LIMIT 200

-- name: shift_records
-- Stays and incidents that something happened to in the shift.
SELECT r.id, r.kind, r.resident_id, p.name AS resident_name, r.title, e.action, e.to_state AS state, e.at
FROM service_events e JOIN service_records r ON r.id = e.record_id LEFT JOIN residents p ON p.id = r.resident_id
WHERE e.at >= %(begins)s AND e.at < %(ends)s AND r.service = 'institution' AND r.kind IN ('stay', 'incident')
ORDER BY e.at DESC, e.seq DESC LIMIT 200

-- name: shift_away
SELECT a.resident_id, p.name AS resident_name, a.kind, a.until FROM resident_away a
JOIN residents p ON p.id = a.resident_id
WHERE a.ended_at IS NULL AND a.begins_at < %(ends)s ORDER BY a.until LIMIT 500
