-- Time-partitioned tables on TimescaleDB: hypertables, columnstore after the late window, hierarchical continuous
-- aggregates. A job drops what is past its retention (db/maintenance.py).

CREATE TABLE readings (
    device_key integer NOT NULL,
    metric     smallint NOT NULL,
    time       timestamptz NOT NULL,
    value      double precision NOT NULL,
    flags      smallint NOT NULL DEFAULT 0,
    received   timestamptz NOT NULL,
    PRIMARY KEY (device_key, metric, time)
);
SELECT create_hypertable('readings', by_range('time', INTERVAL '1 day'), create_default_indexes => false);
ALTER TABLE readings SET (
    timescaledb.compress,
    timescaledb.compress_segmentby = 'device_key, metric',
    timescaledb.compress_orderby = 'time'
);

CREATE TABLE motion_windows (
    device_key integer NOT NULL,
    time       timestamptz NOT NULL,
    hz         real NOT NULL,
    scale      real NOT NULL,
    counts     bytea NOT NULL,
    flags      smallint NOT NULL DEFAULT 0,
    received   timestamptz NOT NULL,
    PRIMARY KEY (device_key, time)
);
ALTER TABLE motion_windows ALTER COLUMN counts SET STORAGE EXTERNAL;
SELECT create_hypertable('motion_windows', by_range('time', INTERVAL '1 day'), create_default_indexes => false);

-- Days begin at midnight in China, which has no daylight saving: 16:00 UTC. Every level has that origin, as TimescaleDB
-- demands of aggregates on aggregates.
CREATE MATERIALIZED VIEW rollup_5m WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT device_key, metric, time_bucket(INTERVAL '5 minutes', time, TIMESTAMPTZ '2000-01-01 16:00+00') AS bucket,
       count(*) AS count, sum(value) AS sum, min(value) AS min, max(value) AS max
FROM readings GROUP BY device_key, metric, time_bucket(INTERVAL '5 minutes', time, TIMESTAMPTZ '2000-01-01 16:00+00') WITH NO DATA;

CREATE MATERIALIZED VIEW rollup_1h WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT device_key, metric, time_bucket(INTERVAL '1 hour', bucket, TIMESTAMPTZ '2000-01-01 16:00+00') AS bucket,
       sum(count)::bigint AS count, sum(sum) AS sum, min(min) AS min, max(max) AS max
FROM rollup_5m GROUP BY device_key, metric, time_bucket(INTERVAL '1 hour', bucket, TIMESTAMPTZ '2000-01-01 16:00+00') WITH NO DATA;

CREATE MATERIALIZED VIEW rollup_1d WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT device_key, metric, time_bucket(INTERVAL '1 day', bucket, TIMESTAMPTZ '2000-01-01 16:00+00') AS bucket,
       sum(count)::bigint AS count, sum(sum) AS sum, min(min) AS min, max(max) AS max
FROM rollup_1h GROUP BY device_key, metric, time_bucket(INTERVAL '1 day', bucket, TIMESTAMPTZ '2000-01-01 16:00+00')
WITH NO DATA;

-- Each start offset reaches past the late window of 7 days and stays inside the shortest raw retention.
SELECT add_continuous_aggregate_policy('rollup_5m', start_offset => INTERVAL '8 days',
    end_offset => INTERVAL '5 minutes', schedule_interval => INTERVAL '5 minutes');
SELECT add_continuous_aggregate_policy('rollup_1h', start_offset => INTERVAL '8 days',
    end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '30 minutes');
SELECT add_continuous_aggregate_policy('rollup_1d', start_offset => INTERVAL '10 days',
    end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '6 hours');
SELECT add_compression_policy('readings', compress_after => INTERVAL '8 days');

-- The names that plain PostgreSQL needs; here the extension does their work.
CREATE FUNCTION ensure_partitions(first_day date, last_day date) RETURNS integer LANGUAGE sql RETURN 0;
CREATE FUNCTION drop_series_before(series text, before_day date) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF series NOT IN ('readings', 'motion_windows', 'rollup_5m', 'rollup_1h', 'rollup_1d') THEN
        RAISE EXCEPTION 'no series %', series;
    END IF;
    RETURN QUERY SELECT drop_chunks(series::regclass, before_day::timestamp AT TIME ZONE 'UTC');
END $$;
REVOKE ALL ON FUNCTION ensure_partitions(date, date), drop_series_before(text, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ensure_partitions(date, date), drop_series_before(text, date) TO anhu_jobs;
GRANT SELECT ON rollup_5m, rollup_1h, rollup_1d TO anhu_jobs;
