-- Readings of one purpose that go before the others: some metrics, out of every level, from a time up to another; how
-- many readings of which house. The columnstore keeps each metric in segments of its own. Rollups go from where they are
-- stored: what was refreshed stays, and a refresh of the last days brings back nothing that is gone.
CREATE FUNCTION drop_metrics_before(wanted smallint[], since timestamptz, until timestamptz)
RETURNS TABLE (institution_id uuid, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    level record;
BEGIN
    DELETE FROM latest l WHERE l.metric = ANY (wanted) AND l.time < until;
    FOR level IN
        SELECT c.materialization_hypertable_schema AS schema, c.materialization_hypertable_name AS name, l.width
        FROM (VALUES ('rollup_5m', interval '5 minutes'), ('rollup_1h', interval '1 hour'),
                     ('rollup_1d', interval '1 day')) AS l (name, width)
        JOIN timescaledb_information.continuous_aggregates c
            ON to_regclass(format('%I.%I', c.view_schema, c.view_name)) = to_regclass(l.name)
    LOOP
        EXECUTE format('DELETE FROM %I.%I WHERE metric = ANY ($1) AND bucket >= $2 AND bucket <= $3',
                       level.schema, level.name)
            USING wanted, since - level.width, until - level.width;
    END LOOP;
    RETURN QUERY
    WITH gone AS (DELETE FROM readings r WHERE r.metric = ANY (wanted) AND r.time >= since AND r.time < until
                  RETURNING r.device_key)
    SELECT d.institution_id, count(*) FROM gone g JOIN devices d ON d.key = g.device_key GROUP BY d.institution_id;
END $$;
REVOKE ALL ON FUNCTION drop_metrics_before(smallint[], timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_metrics_before(smallint[], timestamptz, timestamptz) TO anhu_jobs;
