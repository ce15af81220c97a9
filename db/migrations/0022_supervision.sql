-- What a regulator may know: counts over institutions, never a person, through two functions of a role that reads and
-- does nothing else. A regulator of one institution sees that one; an account of no institution sees all.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anhu_supervision') THEN
        CREATE ROLE anhu_supervision NOLOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT pg_has_role(current_user, 'anhu_supervision', 'MEMBER') THEN
        GRANT anhu_supervision TO CURRENT_USER;
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO anhu_supervision;

DO $$
DECLARE
    target regclass;
BEGIN
    FOREACH target IN ARRAY ARRAY['institutions', 'residents', 'workers', 'worker_certificates', 'alerts',
                                  'service_records', 'service_events', 'visit_targets']::regclass[] LOOP
        EXECUTE format('CREATE POLICY service_supervision ON %s FOR SELECT TO anhu_supervision USING (true)', target);
    END LOOP;
END $$;
GRANT SELECT ON institutions, workers, worker_certificates, service_records, service_events, visit_targets
    TO anhu_supervision;
GRANT SELECT (id, institution_id, birth_date, status, care_level) ON residents TO anhu_supervision;
GRANT SELECT (id, institution_id, resident_id, type, severity, state, outcome, opened_at, acknowledged_at, on_site_at,
              resolved_at) ON alerts TO anhu_supervision;

-- Facilities in operation: what is public of them anyway.
CREATE FUNCTION supervision_facilities()
RETURNS TABLE (institution_id uuid, title text, detail jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.institution_id, r.title,
           jsonb_build_object(
               'type', r.detail ->> 'facility_type', 'street', r.detail ->> 'street',
               'community', r.detail ->> 'community', 'run_by', r.detail ->> 'run_by',
               'rural', coalesce((r.detail ->> 'rural')::boolean, false),
               'comprehensive', coalesce((r.detail ->> 'comprehensive')::boolean, false),
               'beds', (r.detail ->> 'beds')::integer, 'nursing_beds', (r.detail ->> 'nursing_beds')::integer,
               'care_licence', coalesce((r.detail ->> 'care_licence')::boolean, false),
               'medical_licence', coalesce((r.detail ->> 'medical_licence')::boolean, false),
               'quality', coalesce(r.detail ->> 'quality', 'none'))
    FROM service_records r
    WHERE r.service = 'information' AND r.kind = 'facility' AND r.state = 'operating'
      AND (current_tenant() IS NULL OR r.institution_id = current_tenant())
$$;

-- Counts of each institution at a moment: a key, how many, of how many.
CREATE FUNCTION supervision_counts(at timestamptz)
RETURNS TABLE (institution_id uuid, key text, numerator bigint, denominator bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH tenants AS (
        SELECT i.id FROM institutions i WHERE current_tenant() IS NULL OR i.id = current_tenant()
    ), old AS (
        SELECT p.institution_id, p.id FROM residents p
        WHERE p.status NOT IN ('discharged', 'deceased') AND p.birth_date <= (at - interval '60 years')::date
    ), month AS (
        SELECT date_trunc('month', at AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai' AS begins,
               date_trunc('year', at AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai' AS year_begins
    ), calls AS (
        SELECT a.id, a.institution_id, a.opened_at, a.acknowledged_at, a.on_site_at FROM alerts a, month m
        WHERE a.severity = 'critical' AND a.outcome IS DISTINCT FROM 'test' AND a.opened_at >= m.begins
          AND a.opened_at < at
    )
    SELECT t.id, 'agreement', (EXISTS (SELECT FROM service_records r WHERE r.institution_id = t.id
           AND r.service = 'medical' AND r.kind = 'agreement' AND r.state = 'active'
           AND (r.due_at IS NULL OR r.due_at >= at)))::integer::bigint, 1::bigint
    FROM tenants t
    UNION ALL
    SELECT t.id, 'green_channel', count(DISTINCT r.detail ->> 'hospital')
               FILTER (WHERE (r.detail ->> 'green_channel')::boolean), count(DISTINCT r.detail ->> 'hospital')
    FROM tenants t JOIN service_records r ON r.institution_id = t.id AND r.service = 'medical' AND r.kind = 'agreement'
         AND r.state = 'active' GROUP BY t.id
    UNION ALL
    SELECT t.id, 'family_doctor', count(o.id) FILTER (WHERE EXISTS (SELECT FROM service_records r
           WHERE r.resident_id = o.id AND r.service = 'medical' AND r.kind = 'contract'
           AND r.state IN ('active', 'performing', 'renewed'))), count(o.id)
    FROM tenants t LEFT JOIN old o ON o.institution_id = t.id GROUP BY t.id
    UNION ALL
    SELECT t.id, 'adaptation', count(r.id) FILTER (WHERE r.detail ? 'accepted_by'), count(r.id)
    FROM tenants t LEFT JOIN service_records r ON r.institution_id = t.id AND r.service = 'home-care'
         AND r.kind = 'adaptation' AND r.detail ->> 'hardship' <> 'none'
         AND (r.state <> 'closed' OR r.detail ? 'accepted_by') GROUP BY t.id
    UNION ALL
    SELECT t.id, 'cameras', count(r.id) FILTER (WHERE r.state = 'connected' AND (r.detail ->> 'reachable')::boolean
           AND (r.detail ->> 'checked_at')::timestamptz >= at - interval '7 days'), count(r.id)
    FROM tenants t LEFT JOIN service_records r ON r.institution_id = t.id AND r.service = 'safety'
         AND r.kind = 'camera' AND r.state <> 'retired' GROUP BY t.id
    UNION ALL
    SELECT t.id, 'system_use', ((SELECT count(DISTINCT (e.at AT TIME ZONE 'Asia/Shanghai')::date) FROM service_events e
           WHERE e.institution_id = t.id AND e.role IN ('admin', 'caregiver') AND e.at >= at_ - interval '30 days'
           AND e.at < at_) >= 20)::integer::bigint, 1
    FROM tenants t, (SELECT supervision_counts.at AS at_) moment
    UNION ALL
    SELECT t.id, 'certified', count(w.id) FILTER (WHERE EXISTS (SELECT FROM worker_certificates c
           WHERE c.worker_id = w.id AND c.valid_from <= at::date AND (c.valid_until IS NULL OR c.valid_until >= at::date))),
           count(w.id)
    FROM tenants t LEFT JOIN workers w ON w.institution_id = t.id AND w.active GROUP BY t.id
    UNION ALL
    SELECT t.id, 'social_workers', (SELECT count(*) FROM workers w WHERE w.institution_id = t.id AND w.active
           AND '社工' = ANY (w.duties)), (SELECT count(*) FROM old o WHERE o.institution_id = t.id)
    FROM tenants t
    UNION ALL
    SELECT t.id, 'trainings', count(r.id), coalesce(sum((r.detail ->> 'attended')::bigint), 0)::bigint
    FROM tenants t LEFT JOIN (SELECT r.* FROM service_records r, month m WHERE r.service = 'home-care'
         AND r.kind = 'training' AND r.state = 'held' AND r.starts_at >= m.year_begins) r ON r.institution_id = t.id
    GROUP BY t.id
    UNION ALL
    SELECT t.id, 'visits', count(v.resident_id) FILTER (WHERE EXISTS (SELECT FROM service_records r
           WHERE r.resident_id = v.resident_id AND r.service = 'companionship' AND r.kind = 'visit'
           AND r.detail ? 'visited_at' AND (r.detail ->> 'visited_at')::timestamptz >= at - interval '31 days')),
           count(v.resident_id)
    FROM tenants t LEFT JOIN visit_targets v ON v.institution_id = t.id AND v.since <= (at - interval '31 days')::date
         AND (v.until IS NULL OR v.until >= at::date) GROUP BY t.id
    UNION ALL
    SELECT t.id, 'assessed', count(p.id) FILTER (WHERE p.care_level IS NOT NULL), count(p.id)
    FROM tenants t LEFT JOIN residents p ON p.institution_id = t.id AND p.status NOT IN ('discharged', 'deceased')
    GROUP BY t.id
    UNION ALL
    SELECT t.id, k.key, count(c.id) FILTER (WHERE extract(epoch FROM CASE WHEN k.arrival THEN c.on_site_at
           ELSE c.acknowledged_at END - c.opened_at) <= k.seconds), count(c.id)
    FROM tenants t CROSS JOIN (VALUES ('answered_60s', 60, false), ('answered_180s', 180, false),
         ('on_site_45m', 2700, true), ('on_site_60m', 3600, true)) AS k (key, seconds, arrival)
    LEFT JOIN calls c ON c.institution_id = t.id GROUP BY t.id, k.key
$$;
-- A single emergency, without a name, for a stated cause; that somebody looked stands in the institution's own audit log.
CREATE POLICY service_supervision ON audit_log FOR INSERT TO anhu_supervision WITH CHECK (true);
GRANT INSERT ON audit_log TO anhu_supervision;
CREATE FUNCTION supervision_case(wanted uuid, cause text, viewer uuid, viewer_name text, at timestamptz)
RETURNS TABLE (id uuid, institution text, type text, severity text, state text, outcome text, opened_at timestamptz,
               acknowledged_at timestamptz, on_site_at timestamptz, resolved_at timestamptz, age_from integer,
               care_level smallint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO audit_log (institution_id, at, user_id, username, role, action, object_type, object_id, detail)
    SELECT a.institution_id, supervision_case.at, viewer, viewer_name, 'regulator', 'read_case', 'alert', a.id::text,
           jsonb_build_object('cause', cause)
    FROM alerts a WHERE a.id = wanted AND (current_tenant() IS NULL OR a.institution_id = current_tenant());
    RETURN QUERY
    SELECT a.id, i.code, a.type, a.severity, a.state, a.outcome, a.opened_at, a.acknowledged_at, a.on_site_at,
           a.resolved_at, (extract(year FROM age(supervision_case.at, p.birth_date))::integer / 10) * 10, p.care_level
    FROM alerts a JOIN institutions i ON i.id = a.institution_id LEFT JOIN residents p ON p.id = a.resident_id
    WHERE a.id = wanted AND (current_tenant() IS NULL OR a.institution_id = current_tenant());
END $$;

REVOKE ALL ON FUNCTION supervision_facilities(), supervision_counts(timestamptz),
    supervision_case(uuid, text, uuid, text, timestamptz) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO anhu_supervision;
ALTER FUNCTION supervision_facilities() OWNER TO anhu_supervision;
ALTER FUNCTION supervision_counts(timestamptz) OWNER TO anhu_supervision;
ALTER FUNCTION supervision_case(uuid, text, uuid, text, timestamptz) OWNER TO anhu_supervision;
REVOKE CREATE ON SCHEMA public FROM anhu_supervision;
SET LOCAL ROLE anhu_supervision;
GRANT EXECUTE ON FUNCTION supervision_facilities(), supervision_counts(timestamptz) TO anhu_api, anhu_jobs;
GRANT EXECUTE ON FUNCTION supervision_case(uuid, text, uuid, text, timestamptz) TO anhu_api;
RESET ROLE;

-- What the region knows and the platform cannot count: streets, communities, older people, declared figures.
CREATE TABLE supervision_figures (
    key         text NOT NULL CHECK (key ~ '^[a-z0-9_]{1,64}$'),
    year        smallint NOT NULL CHECK (year BETWEEN 2020 AND 2100),
    numerator   bigint NOT NULL CHECK (numerator >= 0),
    denominator bigint NOT NULL CHECK (denominator >= 0),
    source      text NOT NULL CHECK (length(source) BETWEEN 1 AND 500),
    declared_by uuid NOT NULL REFERENCES users (id),
    declared_at timestamptz NOT NULL,
    PRIMARY KEY (key, year)
);
GRANT SELECT, INSERT, UPDATE ON supervision_figures TO anhu_api;

-- One value a month and institution, written again each day until the month is over: the series of the indicators.
CREATE TABLE supervision_months (
    month          date NOT NULL CHECK (extract(day FROM month) = 1),
    institution_id uuid NOT NULL REFERENCES institutions (id),
    key            text NOT NULL,
    numerator      bigint NOT NULL,
    denominator    bigint NOT NULL,
    written_at     timestamptz NOT NULL,
    PRIMARY KEY (month, institution_id, key)
);
ALTER TABLE supervision_months ENABLE ROW LEVEL SECURITY;
ALTER TABLE supervision_months FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON supervision_months FOR SELECT
    USING (current_tenant() IS NULL OR institution_id = current_tenant());
CREATE POLICY service_jobs ON supervision_months TO anhu_jobs USING (true) WITH CHECK (true);
GRANT SELECT ON supervision_months TO anhu_api;
GRANT SELECT, INSERT, UPDATE ON supervision_months TO anhu_jobs;
