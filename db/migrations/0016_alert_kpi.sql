-- Response figures of alerts for inspectors: counts and days of care by institution, never a row and never a person,
-- through two functions of a role that reads and does nothing else. An account of no institution, which only regulators
-- and the platform's own have, sees every institution; everybody else sees theirs.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anhu_kpi') THEN
        CREATE ROLE anhu_kpi NOLOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT pg_has_role(current_user, 'anhu_kpi', 'MEMBER') THEN
        GRANT anhu_kpi TO CURRENT_USER;
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO anhu_kpi;
CREATE POLICY service_kpi ON institutions FOR SELECT TO anhu_kpi USING (true);
CREATE POLICY service_kpi ON residents FOR SELECT TO anhu_kpi USING (true);
CREATE POLICY service_kpi ON users FOR SELECT TO anhu_kpi USING (true);
CREATE POLICY service_kpi ON alerts FOR SELECT TO anhu_kpi USING (true);
GRANT SELECT (id, code, name_zh, name_en, created_at) ON institutions TO anhu_kpi;
GRANT SELECT (id, institution_id, status, created_at, updated_at) ON residents TO anhu_kpi;
GRANT SELECT (id, institution_id, role, created_at, disabled_at) ON users TO anhu_kpi;
GRANT SELECT (id, institution_id, type, severity, state, outcome, evidence, opened_at, acknowledged_at, on_site_at,
              resolved_at, resolved_by) ON alerts TO anhu_kpi;
CREATE INDEX alerts_opened ON alerts (opened_at);

-- Every alert opened in [since, until), counted by institution, month and shift in wall time, type and urgency.
-- Tests stand apart. What is too young to have missed a limit is not yet in that limit's denominator; what nobody
-- answered stays in it. Technical alerts that ended by themselves before anybody answered are told apart, since there
-- was nothing left to answer. `starts` and `shifts` are the beginnings of the shifts and their names, in pairs.
CREATE FUNCTION alert_kpi_counts(since timestamptz, until timestamptz, at timestamptz, zone text, starts time[],
                                 shifts text[])
RETURNS TABLE (institution_id uuid, month date, shift text, type text, urgent boolean, alerts bigint, tests bigint,
               self_resolved bigint, unanswered bigint, answered_60 bigint, due_60 bigint, answered_180 bigint,
               due_180 bigint, reached_900 bigint, due_900 bigint, reached_1800 bigint, due_1800 bigint,
               reached_2700 bigint, due_2700 bigint, reached_3600 bigint, due_3600 bigint, false_alarms bigint,
               resolved bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH chosen AS (
        SELECT a.institution_id, a.type, a.severity IN ('critical', 'high') AS urgent, a.state, a.outcome,
               a.opened_at AT TIME ZONE zone AS wall,
               (a.outcome = 'test' OR a.evidence ->> 'test' = 'true') IS TRUE AS test,
               a.state = 'resolved' AND a.resolved_by IS NULL AND a.acknowledged_at IS NULL AS self_resolved,
               extract(epoch FROM a.acknowledged_at - a.opened_at) AS answer,
               extract(epoch FROM coalesce(a.on_site_at,
                   CASE WHEN a.outcome IN ('assisted', 'hospital') THEN a.resolved_at END) - a.opened_at) AS reach,
               extract(epoch FROM alert_kpi_counts.at - a.opened_at) AS age
        FROM alerts a
        WHERE a.opened_at >= since AND a.opened_at < until
          AND (current_tenant() IS NULL OR a.institution_id = current_tenant())
    ), judged AS (
        SELECT c.*, NOT c.test AND NOT c.self_resolved AS counts, c.state <> 'resolved' AS running,
               -- The latest beginning that is not after the time of day; before the first of the day, yesterday's last.
               (SELECT s.name FROM unnest(starts, shifts) AS s (begins, name)
                ORDER BY s.begins <= c.wall::time DESC, s.begins DESC LIMIT 1) AS shift
        FROM chosen c
    )
    SELECT j.institution_id, date_trunc('month', j.wall)::date, j.shift, j.type, j.urgent, count(*),
        count(*) FILTER (WHERE test),
        count(*) FILTER (WHERE NOT test AND self_resolved),
        count(*) FILTER (WHERE counts AND answer IS NULL),
        count(*) FILTER (WHERE counts AND answer <= 60),
        count(*) FILTER (WHERE counts AND (answer IS NOT NULL OR age > 60)),
        count(*) FILTER (WHERE counts AND answer <= 180),
        count(*) FILTER (WHERE counts AND (answer IS NOT NULL OR age > 180)),
        count(*) FILTER (WHERE counts AND reach <= 900),
        count(*) FILTER (WHERE counts AND (reach IS NOT NULL OR (running AND age > 900))),
        count(*) FILTER (WHERE counts AND reach <= 1800),
        count(*) FILTER (WHERE counts AND (reach IS NOT NULL OR (running AND age > 1800))),
        count(*) FILTER (WHERE counts AND reach <= 2700),
        count(*) FILTER (WHERE counts AND (reach IS NOT NULL OR (running AND age > 2700))),
        count(*) FILTER (WHERE counts AND reach <= 3600),
        count(*) FILTER (WHERE counts AND (reach IS NOT NULL OR (running AND age > 3600))),
        count(*) FILTER (WHERE counts AND outcome = 'false_alarm'),
        count(*) FILTER (WHERE counts AND NOT running)
    FROM judged j GROUP BY 1, 2, 3, 4, 5
$$;

-- What alerts are measured against: days of residents in care and days of caregivers with an account, by institution
-- and month. Who has left counts until the record was last changed, which is when that was written down.
CREATE FUNCTION alert_kpi_days(since timestamptz, until timestamptz, zone text)
RETURNS TABLE (institution_id uuid, code text, name_zh text, name_en text, month date, resident_days double precision,
               caregiver_days double precision)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH months AS (
        SELECT m::date AS month, greatest(since, m AT TIME ZONE zone) AS begins,
               least(until, (m + interval '1 month') AT TIME ZONE zone) AS ends
        FROM generate_series(date_trunc('month', since AT TIME ZONE zone), until AT TIME ZONE zone,
                             interval '1 month') AS m
    ), stays AS (
        SELECT r.institution_id, true AS resident, r.created_at AS begins,
               CASE WHEN r.status IN ('discharged', 'deceased') THEN r.updated_at ELSE 'infinity' END AS ends
        FROM residents r
        UNION ALL
        SELECT u.institution_id, false, u.created_at, coalesce(u.disabled_at, 'infinity')
        FROM users u WHERE u.role = 'caregiver'
    ), days AS (
        SELECT s.institution_id, m.month, s.resident,
               extract(epoch FROM least(s.ends, m.ends) - greatest(s.begins, m.begins)) / 86400.0 AS days
        FROM stays s JOIN months m ON s.begins < m.ends AND s.ends > m.begins
    )
    SELECT i.id, i.code, i.name_zh, i.name_en, m.month,
           coalesce(sum(d.days) FILTER (WHERE d.resident), 0)::double precision,
           coalesce(sum(d.days) FILTER (WHERE NOT d.resident), 0)::double precision
    FROM institutions i CROSS JOIN months m
    LEFT JOIN days d ON d.institution_id = i.id AND d.month = m.month
    WHERE (current_tenant() IS NULL OR i.id = current_tenant()) AND m.begins < m.ends
    GROUP BY i.id, i.code, i.name_zh, i.name_en, m.month
$$;

REVOKE ALL ON FUNCTION alert_kpi_counts(timestamptz, timestamptz, timestamptz, text, time[], text[]),
    alert_kpi_days(timestamptz, timestamptz, text) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO anhu_kpi;
ALTER FUNCTION alert_kpi_counts(timestamptz, timestamptz, timestamptz, text, time[], text[]) OWNER TO anhu_kpi;
ALTER FUNCTION alert_kpi_days(timestamptz, timestamptz, text) OWNER TO anhu_kpi;
REVOKE CREATE ON SCHEMA public FROM anhu_kpi;
SET LOCAL ROLE anhu_kpi;
GRANT EXECUTE ON FUNCTION alert_kpi_counts(timestamptz, timestamptz, timestamptz, text, time[], text[]),
    alert_kpi_days(timestamptz, timestamptz, text) TO anhu_api;
RESET ROLE;
