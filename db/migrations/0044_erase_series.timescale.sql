-- What a device measured in a span of time goes, with every rollup that the span touches; how many readings. (A rollup at
-- the edge may hold a little of a neighbour in time; nobody is ever shown one.) Rollups go from where they are stored:
-- to refresh them would bring back nothing, but would erase what stands for raw readings that are past their own age.
CREATE FUNCTION erase_series(key integer, begins timestamptz, ends timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    gone bigint;
    level record;
BEGIN
    DELETE FROM readings WHERE device_key = key AND time >= begins AND time < ends;
    GET DIAGNOSTICS gone = ROW_COUNT;
    DELETE FROM motion_windows WHERE device_key = key AND time >= begins AND time < ends;
    FOR level IN
        SELECT c.materialization_hypertable_schema AS schema, c.materialization_hypertable_name AS name, l.width
        FROM (VALUES ('rollup_5m', interval '5 minutes'), ('rollup_1h', interval '1 hour'),
                     ('rollup_1d', interval '1 day')) AS l (name, width)
        JOIN timescaledb_information.continuous_aggregates c ON to_regclass(format('%I.%I', c.view_schema, c.view_name)) = to_regclass(l.name)
    LOOP
        EXECUTE format('DELETE FROM %I.%I WHERE device_key = $1 AND bucket > $2 AND bucket < $3', level.schema, level.name)
            USING key, begins - level.width, ends;
    END LOOP;
    RETURN gone;
END $$;
REVOKE ALL ON FUNCTION erase_series(integer, timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_series(integer, timestamptz, timestamptz) TO anhu_eraser;
