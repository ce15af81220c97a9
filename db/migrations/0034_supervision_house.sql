-- What a regulator counts comes from the house's own registers where it keeps them: beds, licences, papers of skill,
-- filings and trainings of staff; and how complaints and incidents fare, as counts.

DO $$
DECLARE
    target regclass;
BEGIN
    FOREACH target IN ARRAY ARRAY['rooms', 'beds', 'bed_uses', 'staff_trainings', 'staff_training_people',
                                  'staff_filings', 'institution_licences']::regclass[] LOOP
        EXECUTE format('CREATE POLICY service_supervision ON %s FOR SELECT TO anhu_supervision USING (true)', target);
    END LOOP;
END $$;
GRANT SELECT ON rooms, beds, staff_trainings, staff_training_people, staff_filings, institution_licences
    TO anhu_supervision;
GRANT SELECT (id, institution_id, bed_id, reserved, used_from, used_to) ON bed_uses TO anhu_supervision;

-- Facilities in operation at a moment. Where the house keeps a register of beds or licences, that counts, not what it
-- said of itself. `supervision_facilities()` stays for the release before and goes with a later one.
CREATE FUNCTION supervision_facilities_at(at timestamptz)
RETURNS TABLE (institution_id uuid, title text, detail jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH open AS (
        SELECT r.id, r.institution_id, r.title, r.detail, count(*) FILTER (WHERE r.detail ->> 'facility_type' =
               'institution') OVER (PARTITION BY r.institution_id) AS institutions
        FROM service_records r
        WHERE r.service = 'information' AND r.kind = 'facility' AND r.state = 'operating'
          AND (current_tenant() IS NULL OR r.institution_id = current_tenant())
    ), counted AS (
        SELECT f.id, count(b.id) AS beds, count(b.id) FILTER (WHERE b.type IN ('total_care', 'nursing')) AS nursing_beds
        FROM open f
        JOIN rooms o ON o.institution_id = f.institution_id AND (o.facility_id = f.id OR (o.facility_id IS NULL
             AND f.institutions = 1 AND f.detail ->> 'facility_type' = 'institution'))
        JOIN beds b ON b.room_id = o.id AND b.created_at <= at AND (b.closed_at IS NULL OR b.closed_at > at)
        GROUP BY f.id
    ), held AS (
        SELECT l.institution_id, bool_or(l.kind = 'care' AND v.valid) AS care, bool_or(l.kind = 'medical' AND v.valid)
               AS medical, bool_or(l.kind = 'care') AS care_kept, bool_or(l.kind = 'medical') AS medical_kept
        FROM institution_licences l, LATERAL (SELECT (l.revoked_at IS NULL OR l.revoked_at > at)
             AND l.valid_from <= (at AT TIME ZONE 'Asia/Shanghai')::date
             AND (l.valid_until IS NULL OR l.valid_until >= (at AT TIME ZONE 'Asia/Shanghai')::date) AS valid) v
        GROUP BY l.institution_id
    )
    SELECT f.institution_id, f.title,
           jsonb_build_object(
               'type', f.detail ->> 'facility_type', 'street', f.detail ->> 'street',
               'community', f.detail ->> 'community', 'run_by', f.detail ->> 'run_by',
               'rural', coalesce((f.detail ->> 'rural')::boolean, false),
               'comprehensive', coalesce((f.detail ->> 'comprehensive')::boolean, false),
               'beds', coalesce(c.beds, (f.detail ->> 'beds')::bigint),
               'nursing_beds', coalesce(c.nursing_beds, (f.detail ->> 'nursing_beds')::bigint),
               'beds_counted', c.id IS NOT NULL,
               'care_licence', CASE WHEN h.care_kept THEN h.care
                                    ELSE coalesce((f.detail ->> 'care_licence')::boolean, false) END,
               'medical_licence', CASE WHEN h.medical_kept THEN h.medical
                                       ELSE coalesce((f.detail ->> 'medical_licence')::boolean, false) END,
               'quality', coalesce(f.detail ->> 'quality', 'none'))
    FROM open f LEFT JOIN counted c ON c.id = f.id LEFT JOIN held h ON h.institution_id = f.institution_id
$$;

-- Counts of each institution at a moment: a key, how many, of how many.
CREATE OR REPLACE FUNCTION supervision_counts(at timestamptz)
RETURNS TABLE (institution_id uuid, key text, numerator bigint, denominator bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH tenants AS (
        SELECT i.id FROM institutions i WHERE current_tenant() IS NULL OR i.id = current_tenant()
    ), old AS (
        SELECT p.institution_id, p.id FROM residents p
        WHERE p.status NOT IN ('discharged', 'deceased') AND p.birth_date <= (at - interval '60 years')::date
    ), month AS (
        SELECT date_trunc('month', at AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai' AS begins,
               date_trunc('year', at AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai' AS year_begins,
               date_trunc('year', at AT TIME ZONE 'Asia/Shanghai')::date AS year_first,
               (at AT TIME ZONE 'Asia/Shanghai')::date AS today
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
           WHERE c.worker_id = w.id AND c.category <> 'health' AND c.valid_from <= m.today
           AND (c.valid_until IS NULL OR c.valid_until >= m.today))), count(w.id)
    FROM month m, tenants t LEFT JOIN workers w ON w.institution_id = t.id AND w.active GROUP BY t.id
    UNION ALL
    SELECT t.id, 'filed', count(w.id) FILTER (WHERE EXISTS (SELECT FROM staff_filings f WHERE f.worker_id = w.id
           AND f.year = extract(year FROM m.today))), count(w.id)
    FROM month m, tenants t JOIN workers w ON w.institution_id = t.id AND w.active
    WHERE EXISTS (SELECT FROM staff_filings f JOIN tenants i ON i.id = f.institution_id) GROUP BY t.id
    UNION ALL
    SELECT t.id, 'social_workers', (SELECT count(*) FROM workers w WHERE w.institution_id = t.id AND w.active
           AND (w.post = 'social_worker' OR '社工' = ANY (w.duties))), (SELECT count(*) FROM old o WHERE o.institution_id = t.id)
    FROM tenants t
    UNION ALL
    -- Classes for staff and for those who care at home, and who came.
    SELECT t.id, 'trainings',
           (SELECT count(*) FROM staff_trainings s WHERE s.institution_id = t.id AND s.held_on >= m.year_first
            AND s.held_on <= m.today)
           + (SELECT count(*) FROM service_records r WHERE r.institution_id = t.id AND r.service = 'home-care'
              AND r.kind = 'training' AND r.state = 'held' AND r.starts_at >= m.year_begins),
           (SELECT count(*) FROM staff_trainings s JOIN staff_training_people p ON p.training_id = s.id
            WHERE s.institution_id = t.id AND s.held_on >= m.year_first AND s.held_on <= m.today)
           + (SELECT coalesce(sum((r.detail ->> 'attended')::bigint), 0)::bigint FROM service_records r
              WHERE r.institution_id = t.id AND r.service = 'home-care' AND r.kind = 'training' AND r.state = 'held'
              AND r.starts_at >= m.year_begins)
    FROM tenants t, month m
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
    SELECT t.id, 'beds_occupied', count(u.id), count(b.id)
    FROM tenants t LEFT JOIN beds b ON b.institution_id = t.id AND b.type <> 'home' AND b.created_at <= at
         AND (b.closed_at IS NULL OR b.closed_at > at)
    LEFT JOIN bed_uses u ON u.bed_id = b.id AND NOT u.reserved AND u.used_from <= at
         AND (u.used_to IS NULL OR u.used_to > at)
    GROUP BY t.id
    UNION ALL
    SELECT t.id, 'complaints_in_time', count(r.id) FILTER (WHERE (r.detail ->> 'in_time')::boolean), count(r.id)
    FROM tenants t LEFT JOIN (SELECT r.* FROM service_records r, month m WHERE r.service = 'institution'
         AND r.kind = 'complaint' AND r.state NOT IN ('withdrawn', 'rejected') AND r.created_at >= m.year_begins
         AND r.created_at <= at AND (r.detail ? 'in_time' OR (r.detail ->> 'answer_due')::timestamptz < at)) r
         ON r.institution_id = t.id GROUP BY t.id
    UNION ALL
    SELECT t.id, 'incidents_closed', count(r.id) FILTER (WHERE r.state = 'closed'), count(r.id)
    FROM tenants t LEFT JOIN (SELECT r.* FROM service_records r, month m WHERE r.service = 'institution'
         AND r.kind = 'incident' AND r.created_at >= m.year_begins AND r.created_at <= at) r ON r.institution_id = t.id
    GROUP BY t.id
    UNION ALL
    SELECT t.id, k.key, count(c.id) FILTER (WHERE extract(epoch FROM CASE WHEN k.arrival THEN c.on_site_at
           ELSE c.acknowledged_at END - c.opened_at) <= k.seconds), count(c.id)
    FROM tenants t CROSS JOIN (VALUES ('answered_60s', 60, false), ('answered_180s', 180, false),
         ('on_site_45m', 2700, true), ('on_site_60m', 3600, true)) AS k (key, seconds, arrival)
    LEFT JOIN calls c ON c.institution_id = t.id GROUP BY t.id, k.key
$$;

-- Complaints and incidents of the year, as counts without a word of what was said.
CREATE FUNCTION supervision_cases(at timestamptz)
RETURNS TABLE (institution_id uuid, kind text, topic text, level text, state text, records bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.institution_id, r.kind, coalesce(r.detail ->> 'topic', r.detail ->> 'category'),
           coalesce(r.detail ->> 'level', ''), r.state, count(*)
    FROM service_records r
    WHERE r.service = 'institution' AND r.kind IN ('complaint', 'incident') AND r.created_at <= at
      AND r.created_at >= date_trunc('year', at AT TIME ZONE 'Asia/Shanghai') AT TIME ZONE 'Asia/Shanghai'
      AND (current_tenant() IS NULL OR r.institution_id = current_tenant())
    GROUP BY 1, 2, 3, 4, 5
$$;
REVOKE ALL ON FUNCTION supervision_facilities_at(timestamptz), supervision_cases(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION supervision_facilities_at(timestamptz) TO anhu_api, anhu_jobs;
GRANT EXECUTE ON FUNCTION supervision_cases(timestamptz) TO anhu_api;

GRANT CREATE ON SCHEMA public TO anhu_supervision;
ALTER FUNCTION supervision_facilities_at(timestamptz) OWNER TO anhu_supervision;
ALTER FUNCTION supervision_cases(timestamptz) OWNER TO anhu_supervision;
REVOKE CREATE ON SCHEMA public FROM anhu_supervision;
