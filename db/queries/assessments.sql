-- What assessments need beside their records.

-- name: platform_events
-- Falls and wandering of a resident that the platform itself saw, as alerts that were not false.
SELECT count(*) FILTER (WHERE type = 'fall') AS fall,
       count(*) FILTER (WHERE type IN ('geofence_exit', 'wandering', 'night_wandering')) AS wandering
FROM alerts
WHERE resident_id = %(resident)s AND occurred_at >= %(since)s AND occurred_at <= %(until)s
  AND (outcome IS NULL OR outcome NOT IN ('false_alarm', 'test'))

-- name: staff
SELECT id FROM users WHERE id = ANY (%(users)s) AND role IN ('admin', 'caregiver') AND disabled_at IS NULL

-- name: set_care_level
UPDATE residents SET care_level = %(level)s, version = version + 1, updated_at = %(now)s WHERE id = %(resident)s

-- name: plans_of_other_level
SELECT id, institution_id, service, kind, state, resident_id, provider_id, worker_id, title, starts_at, ends_at, due_at,
       price, subsidy, detail, created_by
FROM service_records
WHERE resident_id = %(resident)s AND service = 'health' AND kind = 'plan' AND state = 'active'
  AND detail -> 'care_level' IS DISTINCT FROM to_jsonb(%(level)s::integer)
ORDER BY created_at, id FOR UPDATE
