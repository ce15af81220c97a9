-- What is past its age, by institution.

-- name: drop_rejections
WITH gone AS (DELETE FROM rejections WHERE received < %(before)s RETURNING institution_id)
SELECT institution_id, count(*) AS rows FROM gone GROUP BY institution_id

-- name: drop_pages
-- Pages of alerts that are over, once nobody can answer by a link in them.
WITH gone AS (
    DELETE FROM outbox o USING alerts a
    WHERE o.created_at < %(before)s AND a.id = o.alert_id AND a.state = 'resolved' AND o.state <> 'pending'
      AND NOT EXISTS (SELECT FROM page_links l WHERE l.outbox_id = o.id)
    RETURNING o.institution_id)
SELECT institution_id, count(*) AS rows FROM gone GROUP BY institution_id

-- name: drop_suppressions
-- What was held back and is over: cleared, raised since, or an event of one moment.
WITH gone AS (
    DELETE FROM alert_suppressions
    WHERE at < %(before)s AND (cleared_at IS NOT NULL OR released_at IS NOT NULL OR source <> 'detector')
    RETURNING institution_id)
SELECT institution_id, count(*) AS rows FROM gone GROUP BY institution_id

-- name: drop_silences
WITH gone AS (
    DELETE FROM silences s WHERE least(s.ends_at, s.ended_at) < %(before)s
      AND NOT EXISTS (SELECT FROM alert_suppressions p WHERE p.silence_id = s.id)
    RETURNING s.institution_id)
SELECT institution_id, count(*) AS rows FROM gone GROUP BY institution_id

-- name: drop_notices
WITH gone AS (DELETE FROM notices WHERE at < %(before)s RETURNING institution_id)
SELECT institution_id, count(*) AS rows FROM gone GROUP BY institution_id

-- name: drop_metrics
SELECT institution_id, rows FROM drop_metrics_before(%(metrics)s::smallint[], %(since)s, %(before)s)

-- name: last
-- Up to when a class has gone already.
SELECT max(gone_before) AS gone_before FROM retention_reports WHERE data_class = %(data_class)s

-- name: report
INSERT INTO retention_reports (day, institution_id, data_class, kept_days, gone_before, deleted, unit, detail,
                               written_at)
VALUES (%(day)s, %(institution)s, %(data_class)s, %(kept_days)s, %(before)s, %(deleted)s, %(unit)s, %(detail)s,
        %(now)s)
ON CONFLICT (institution_id, day, data_class) DO UPDATE SET kept_days = excluded.kept_days,
    gone_before = excluded.gone_before, deleted = retention_reports.deleted + excluded.deleted,
    detail = (retention_reports.detail || excluded.detail)[1:200], written_at = excluded.written_at

-- name: reports
SELECT day, institution_id IS NULL AS of_platform, data_class, kept_days, gone_before, deleted, unit, detail, written_at
FROM retention_reports
WHERE (%(before_day)s::date IS NULL OR (day, data_class, institution_id IS NULL) <
       (%(before_day)s::date, %(before_class)s::text, %(before_platform)s::boolean))
  AND (%(data_class)s::text IS NULL OR data_class = %(data_class)s)
ORDER BY day DESC, data_class DESC, institution_id IS NULL DESC LIMIT %(limit)s
