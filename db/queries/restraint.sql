-- Holding back what led to nothing, and what detectors learn from outcomes.

-- name: current
SELECT id, expires_at, expires_at > %(now)s AS holds FROM alert_throttles
WHERE resident_id = %(resident_id)s AND type = %(type)s AND ended_at IS NULL FOR UPDATE

-- name: outcomes
-- Of the newest alerts of a kind, since the last time that they were held back: each outcome counts once.
SELECT a.outcome FROM alerts a
WHERE a.institution_id = %(institution_id)s AND a.resident_id = %(resident_id)s AND a.type = %(type)s
  AND a.state = 'resolved' AND a.outcome <> 'test' AND a.resolved_at > %(since)s
  AND a.resolved_at > coalesce((SELECT max(t.begun_at) FROM alert_throttles t
                                WHERE t.resident_id = a.resident_id AND t.type = a.type), '-infinity')
ORDER BY a.resolved_at DESC LIMIT %(count)s

-- name: begin
INSERT INTO alert_throttles (id, institution_id, resident_id, type, reason, begun_at, expires_at)
VALUES (%(id)s, %(institution_id)s, %(resident_id)s, %(type)s, %(reason)s, %(now)s, %(expires)s)

-- name: count
UPDATE alert_throttles SET held = held + 1, last_held_at = %(now)s, last_severity = %(severity)s, pending = %(pending)s
WHERE id = %(id)s

-- name: clear
UPDATE alert_throttles SET pending = NULL
WHERE resident_id = %(resident_id)s AND type = %(type)s AND ended_at IS NULL AND pending IS NOT NULL

-- name: expired
SELECT * FROM alert_throttles WHERE ended_at IS NULL AND expires_at <= %(now)s
ORDER BY institution_id, id LIMIT 200 FOR UPDATE SKIP LOCKED

-- name: end
UPDATE alert_throttles SET ended_at = %(now)s, ended_by = %(by)s WHERE id = %(id)s AND ended_at IS NULL

-- name: expire_now
UPDATE alert_throttles SET expires_at = greatest(begun_at + interval '1 microsecond', %(now)s), ended_by = %(by)s
WHERE id = %(id)s AND ended_at IS NULL AND expires_at > %(now)s

-- name: list
SELECT t.id, t.resident_id, r.name AS resident_name, t.type, t.reason, t.begun_at, t.expires_at, t.ended_at,
       u.name AS ended_by, t.held, t.last_held_at, t.last_severity, t.pending IS NOT NULL AS pending
FROM alert_throttles t JOIN residents r ON r.id = t.resident_id LEFT JOIN users u ON u.id = t.ended_by
WHERE (%(before)s::timestamptz IS NULL OR (t.begun_at, t.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY t.begun_at DESC, t.id DESC LIMIT %(limit)s

-- name: judged
-- What people made of the alerts that a personal detector raised, beside the factor that holds.
SELECT a.institution_id, a.resident_id, a.type,
       count(*) FILTER (WHERE a.outcome = 'false_alarm') AS false_alarms,
       count(*) FILTER (WHERE a.outcome IN ('assisted', 'hospital')) AS useful,
       coalesce((SELECT s.factor FROM detector_sensitivity s WHERE s.resident_id = a.resident_id AND s.type = a.type
                 ORDER BY s.at DESC LIMIT 1), 1) AS factor
FROM alerts a
WHERE a.type = ANY (%(types)s) AND a.source = 'detector' AND a.resident_id IS NOT NULL AND a.state = 'resolved'
  AND a.resolved_at > %(since)s
GROUP BY a.institution_id, a.resident_id, a.type

-- name: learned
INSERT INTO detector_sensitivity (institution_id, resident_id, type, at, factor, reason)
VALUES (%(institution_id)s, %(resident_id)s, %(type)s, %(now)s, %(factor)s, %(reason)s)
ON CONFLICT (resident_id, type, at) DO NOTHING

-- name: sensitivities
SELECT DISTINCT ON (s.resident_id, s.type) r.key AS resident_key, s.type, s.factor
FROM detector_sensitivity s JOIN residents r ON r.id = s.resident_id
ORDER BY s.resident_id, s.type, s.at DESC

-- name: load
-- How much each account was called: alerts and pages per local day.
SELECT u.id AS user_id, u.name, (o.created_at AT TIME ZONE 'Asia/Shanghai')::date AS day,
       count(DISTINCT o.alert_id) AS alerts, count(DISTINCT (o.alert_id, o.step_id, o.created_at)) AS pages,
       count(DISTINCT o.alert_id) FILTER (WHERE a.outcome IN ('false_alarm', 'no_action')) AS non_actionable
FROM outbox o JOIN users u ON o.recipient = 'user:' || u.id::text JOIN alerts a ON a.id = o.alert_id
WHERE o.created_at >= %(from)s AND o.created_at < %(to)s
GROUP BY u.id, u.name, day ORDER BY day DESC, alerts DESC, u.id LIMIT 2000

-- name: load_per_caregiver
-- By institution: how many alerts each account that was called was called for, and how many of them led to nothing.
SELECT i.code AS institution, avg(called.alerts)::float8 AS mean, max(called.alerts)::float8 AS busiest,
       (sum(called.non_actionable) / sum(called.alerts))::float8 AS non_actionable
FROM (SELECT o.institution_id, o.recipient, count(DISTINCT o.alert_id) AS alerts,
             count(DISTINCT o.alert_id) FILTER (WHERE a.outcome IN ('false_alarm', 'no_action')) AS non_actionable
      FROM outbox o JOIN alerts a ON a.id = o.alert_id
      WHERE o.recipient LIKE 'user:%%' AND o.created_at >= %(since)s
      GROUP BY o.institution_id, o.recipient) called
JOIN institutions i ON i.id = called.institution_id
GROUP BY i.code
