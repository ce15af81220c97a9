-- Readings of one purpose that go before the others: some metrics, out of every level, from a time up to another; how
-- many readings of which house. Rollups are sought device by device: their key begins with it.
CREATE FUNCTION drop_metrics_before(wanted smallint[], since timestamptz, until timestamptz)
RETURNS TABLE (institution_id uuid, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    level record;
    one integer;
BEGIN
    DELETE FROM latest l WHERE l.metric = ANY (wanted) AND l.time < until;
    FOR level IN SELECT * FROM (VALUES ('rollup_5m', interval '5 minutes'), ('rollup_1h', interval '1 hour'),
                                       ('rollup_1d', interval '1 day')) AS l (name, width) LOOP
        FOR one IN SELECT d.key FROM devices d LOOP
            EXECUTE format('DELETE FROM %I WHERE device_key = $1 AND metric = ANY ($2) AND bucket >= $3
                            AND bucket <= $4', level.name)
                USING one, wanted, since - level.width, until - level.width;
        END LOOP;
    END LOOP;
    RETURN QUERY
    WITH gone AS (DELETE FROM readings r WHERE r.metric = ANY (wanted) AND r.time >= since AND r.time < until
                  RETURNING r.device_key)
    SELECT d.institution_id, count(*) FROM gone g JOIN devices d ON d.key = g.device_key GROUP BY d.institution_id;
END $$;
REVOKE ALL ON FUNCTION drop_metrics_before(smallint[], timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_metrics_before(smallint[], timestamptz, timestamptz) TO anhu_jobs;
