-- Time-partitioned tables on plain PostgreSQL: daily range partitions, made ahead and dropped behind by a job, and
-- rollup tables which a job keeps (db/queries/rollup.sql).

CREATE TABLE readings (
    device_key integer NOT NULL,
    metric     smallint NOT NULL,
    time       timestamptz NOT NULL,
    value      double precision NOT NULL,
    flags      smallint NOT NULL DEFAULT 0,
    received   timestamptz NOT NULL,
    -- A device's readings lie one to a page, for they come in the order of time. With the value in the key's index, a
    -- week of them is read from a hundred pages and not from eleven thousand.
    PRIMARY KEY (device_key, metric, time) INCLUDE (value)
) PARTITION BY RANGE (time);
CREATE TABLE readings_rest PARTITION OF readings DEFAULT;

CREATE TABLE motion_windows (
    device_key integer NOT NULL,
    time       timestamptz NOT NULL,
    hz         real NOT NULL,
    scale      real NOT NULL,
    counts     bytea NOT NULL,
    flags      smallint NOT NULL DEFAULT 0,
    received   timestamptz NOT NULL,
    PRIMARY KEY (device_key, time)
) PARTITION BY RANGE (time);
CREATE TABLE motion_windows_rest PARTITION OF motion_windows DEFAULT;
ALTER TABLE motion_windows ALTER COLUMN counts SET STORAGE EXTERNAL;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rollup_5m', 'rollup_1h', 'rollup_1d'] LOOP
        EXECUTE format('CREATE TABLE %I (
            device_key integer NOT NULL,
            metric     smallint NOT NULL,
            bucket     timestamptz NOT NULL,
            count      bigint NOT NULL,
            sum        double precision NOT NULL,
            min        double precision NOT NULL,
            max        double precision NOT NULL,
            PRIMARY KEY (device_key, metric, bucket))', name);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO anhu_jobs', name);
    END LOOP;
END $$;

-- Makes the daily partitions that cover [first_day, last_day]; those that exist are left alone. Rows that waited in
-- the rest partition move with it, since PostgreSQL refuses a partition whose rows lie in the rest.
CREATE FUNCTION ensure_partitions(first_day date, last_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    day date;
    child text;
    made integer := 0;
BEGIN
    IF last_day - first_day > 400 THEN
        RAISE EXCEPTION 'asked for % days of partitions at once; 400 is the bound', last_day - first_day;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('anhu partitions'));
    FOREACH parent IN ARRAY ARRAY['readings', 'motion_windows'] LOOP
        day := first_day;
        WHILE day <= last_day LOOP
            child := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
            IF to_regclass(child) IS NULL THEN
                -- Reading from the index alone needs pages marked visible: vacuum a day after each twentieth of it,
                -- not each fifth, which costs little since nothing in it is ever dead.
                EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING STORAGE)
                                WITH (autovacuum_vacuum_insert_scale_factor = 0.05)', child, parent);
                EXECUTE format('WITH moved AS (DELETE FROM %I WHERE time >= %L::date::timestamp AT TIME ZONE ''UTC''
                                AND time < (%L::date + 1)::timestamp AT TIME ZONE ''UTC'' RETURNING *)
                                INSERT INTO %I SELECT * FROM moved', parent || '_rest', day, day, child);
                EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', parent, child,
                               day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
                made := made + 1;
            END IF;
            day := day + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;

-- Lets go of everything in a series that lies wholly before a day; returns what was dropped, or how many rows.
CREATE FUNCTION drop_series_before(series text, before_day date) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    child text;
    gone bigint;
BEGIN
    IF series IN ('rollup_5m', 'rollup_1h', 'rollup_1d') THEN
        EXECUTE format('DELETE FROM %I WHERE bucket < %L', series, before_day::timestamp AT TIME ZONE 'UTC');
        GET DIAGNOSTICS gone = ROW_COUNT;
        IF gone > 0 THEN
            RETURN NEXT format('%s rows of %s', gone, series);
        END IF;
        RETURN;
    END IF;
    IF series NOT IN ('readings', 'motion_windows') THEN
        RAISE EXCEPTION 'no series %', series;
    END IF;
    FOR child IN
        SELECT c.relname FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
        WHERE h.inhparent = series::regclass AND c.relname ~ ('^' || series || '_[0-9]{8}$')
          AND to_date(right(c.relname, 8), 'YYYYMMDD') < before_day
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE %I', child);
        RETURN NEXT child;
    END LOOP;
    -- Rows that came while no partition was made for their day grow old as well.
    EXECUTE format('DELETE FROM %I WHERE time < %L', series || '_rest', before_day::timestamp AT TIME ZONE 'UTC');
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone > 0 THEN
        RETURN NEXT format('%s rows of %s_rest', gone, series);
    END IF;
END $$;
REVOKE ALL ON FUNCTION ensure_partitions(date, date), drop_series_before(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(date, date), drop_series_before(text, date) TO anhu_jobs;

SELECT ensure_partitions((now() AT TIME ZONE 'UTC')::date - 8, (now() AT TIME ZONE 'UTC')::date + 7);
