-- What Grafana may see: counts and times, no name, no place, no reading. Functions, so that no later migration finds a
-- view in its way; they run with the rights of the superuser who made them, since every table behind them has row
-- security. Applied again at each deployment, in one transaction, by deploy/logins.py.

CREATE SCHEMA IF NOT EXISTS monitoring;
REVOKE ALL ON SCHEMA monitoring FROM PUBLIC;
DROP FUNCTION IF EXISTS monitoring.residents(), monitoring.devices(), monitoring.open_alerts(),
    monitoring.alerts(timestamptz, timestamptz), monitoring.response(timestamptz, timestamptz),
    monitoring.rejections(timestamptz, timestamptz), monitoring.roles();

CREATE FUNCTION monitoring.residents()
RETURNS TABLE (institution text, status text, residents bigint, with_device bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.code, r.status, count(*), count(*) FILTER (WHERE EXISTS (
        SELECT FROM bindings b WHERE b.resident_id = r.id AND b.bound_from <= now()
            AND (b.bound_to IS NULL OR b.bound_to > now())))
    FROM residents r JOIN institutions i ON i.id = r.institution_id
    GROUP BY i.code, r.status
$$;

-- silent: nothing heard for longer than the device's own supervision time.
CREATE FUNCTION monitoring.devices()
RETURNS TABLE (institution text, kind text, registered bigint, online bigint, silent bigint, low_battery bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.code, d.kind, count(*), count(*) FILTER (WHERE s.online),
        count(*) FILTER (WHERE s.last_seen IS NULL OR s.last_seen < now() - make_interval(secs => d.supervision_seconds)),
        count(*) FILTER (WHERE s.battery < 20)
    FROM devices d JOIN institutions i ON i.id = d.institution_id LEFT JOIN device_status s ON s.device_key = d.key
    WHERE d.retired_at IS NULL
    GROUP BY i.code, d.kind
$$;

CREATE FUNCTION monitoring.open_alerts()
RETURNS TABLE (institution text, type text, severity text, state text, opened_at timestamptz, age_seconds float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.code, a.type, a.severity, a.state, a.opened_at, extract(epoch FROM now() - a.opened_at)::float8
    FROM alerts a JOIN institutions i ON i.id = a.institution_id
    WHERE a.state <> 'resolved'
$$;

CREATE FUNCTION monitoring.alerts(from_time timestamptz, to_time timestamptz)
RETURNS TABLE (hour timestamptz, institution text, type text, severity text, alerts bigint, false_alarms bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT date_trunc('hour', a.opened_at), i.code, a.type, a.severity, count(*),
        count(*) FILTER (WHERE a.outcome = 'false_alarm')
    FROM alerts a JOIN institutions i ON i.id = a.institution_id
    WHERE a.opened_at >= from_time AND a.opened_at < to_time
    GROUP BY 1, 2, 3, 4
$$;

-- The figures of GET /alerts/kpi for critical and high alerts, by institution: the same rules, see its query. A share
-- is NULL where nothing is due yet.
CREATE FUNCTION monitoring.response(from_time timestamptz, to_time timestamptz)
RETURNS TABLE (institution text, alerts bigint, unanswered bigint, answered_60_share float8, answered_180_share float8,
               reached_2700_share float8, reached_3600_share float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH chosen AS (
        SELECT a.institution_id, a.state,
            (a.outcome = 'test' OR a.evidence ->> 'test' = 'true') IS TRUE
                OR (a.state = 'resolved' AND a.resolved_by IS NULL AND a.acknowledged_at IS NULL) AS apart,
            extract(epoch FROM a.acknowledged_at - a.opened_at) AS answer,
            extract(epoch FROM coalesce(a.on_site_at,
                CASE WHEN a.outcome IN ('assisted', 'hospital') THEN a.resolved_at END) - a.opened_at) AS reach,
            extract(epoch FROM now() - a.opened_at) AS age
        FROM alerts a
        WHERE a.opened_at >= from_time AND a.opened_at < to_time AND a.severity IN ('critical', 'high')
    ), counted AS (
        SELECT institution_id, count(*) AS alerts, count(*) FILTER (WHERE answer IS NULL) AS unanswered,
            count(*) FILTER (WHERE answer <= 60) AS answered_60,
            count(*) FILTER (WHERE answer IS NOT NULL OR age > 60) AS due_60,
            count(*) FILTER (WHERE answer <= 180) AS answered_180,
            count(*) FILTER (WHERE answer IS NOT NULL OR age > 180) AS due_180,
            count(*) FILTER (WHERE reach <= 2700) AS reached_2700,
            count(*) FILTER (WHERE reach IS NOT NULL OR (state <> 'resolved' AND age > 2700)) AS due_2700,
            count(*) FILTER (WHERE reach <= 3600) AS reached_3600,
            count(*) FILTER (WHERE reach IS NOT NULL OR (state <> 'resolved' AND age > 3600)) AS due_3600
        FROM chosen WHERE NOT apart GROUP BY institution_id
    )
    SELECT i.code, c.alerts, c.unanswered, c.answered_60::float8 / nullif(c.due_60, 0),
        c.answered_180::float8 / nullif(c.due_180, 0), c.reached_2700::float8 / nullif(c.due_2700, 0),
        c.reached_3600::float8 / nullif(c.due_3600, 0)
    FROM counted c JOIN institutions i ON i.id = c.institution_id
$$;

CREATE FUNCTION monitoring.rejections(from_time timestamptz, to_time timestamptz)
RETURNS TABLE (site text, reason text, rejections bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(r.site, ''), r.reason, count(*) FROM rejections r
    WHERE r.received >= from_time AND r.received < to_time
    GROUP BY 1, 2
$$;

CREATE FUNCTION monitoring.roles()
RETURNS TABLE (role text, instance text, silent_seconds float8)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT h.role, h.instance, extract(epoch FROM now() - h.at)::float8 FROM heartbeats h
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA monitoring FROM PUBLIC;
GRANT USAGE ON SCHEMA monitoring TO login_anhu_monitor;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA monitoring TO login_anhu_monitor;
ALTER ROLE login_anhu_monitor SET statement_timeout = '15s';
ALTER ROLE login_anhu_monitor SET default_transaction_read_only = on;
