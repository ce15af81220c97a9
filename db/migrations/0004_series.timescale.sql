-- Time-partitioned tables on TimescaleDB: hypertables, columnstore after the late window, hierarchical continuous
-- aggregates. A job drops what is past its retention (db/maintenance.py).

CREATE TABLE readings (
    device_key integer NOT NULL,
    metric     smallint NOT NULL,
    time       timestamptz NOT NULL,
    value      double precision NOT NULL,
    flags      smallint NOT NULL DEFAULT 0,
    received   timestamptz NOT NULL,
    -- A device's readings lie one to a page, for they come in the order of time. With the value in the key's index, a
    -- week of them is read from a hundred pages and not from eleven thousand. That needs pages marked visible: vacuum
    -- a chunk after each twentieth of it, not each fifth, which costs little since nothing in it is ever dead.
    PRIMARY KEY (device_key, metric, time) INCLUDE (value)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05);
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
CREATE MATERIALIZED VIEW rollup_5m WITH (timescaledb.continuous, timescaledb.materialized_only = false,
    timescaledb.create_group_indexes = false) AS
SELECT device_key, metric, time_bucket(INTERVAL '5 minutes', time, TIMESTAMPTZ '2000-01-01 16:00+00') AS bucket,
       count(*) AS count, sum(value) AS sum, min(value) AS min, max(value) AS max
FROM readings GROUP BY device_key, metric, time_bucket(INTERVAL '5 minutes', time, TIMESTAMPTZ '2000-01-01 16:00+00')
WITH NO DATA;

CREATE MATERIALIZED VIEW rollup_1h WITH (timescaledb.continuous, timescaledb.materialized_only = false,
    timescaledb.create_group_indexes = false) AS
SELECT device_key, metric, time_bucket(INTERVAL '1 hour', bucket, TIMESTAMPTZ '2000-01-01 16:00+00') AS bucket,
       sum(count)::bigint AS count, sum(sum) AS sum, min(min) AS min, max(max) AS max
FROM rollup_5m GROUP BY device_key, metric, time_bucket(INTERVAL '1 hour', bucket, TIMESTAMPTZ '2000-01-01 16:00+00')
WITH NO DATA;

CREATE MATERIALIZED VIEW rollup_1d WITH (timescaledb.continuous, timescaledb.materialized_only = false,
    timescaledb.create_group_indexes = false) AS
SELECT device_key, metric, time_bucket(INTERVAL '1 day', bucket, TIMESTAMPTZ '2000-01-01 16:00+00') AS bucket,
       sum(count)::bigint AS count, sum(sum) AS sum, min(min) AS min, max(max) AS max
FROM rollup_1h GROUP BY device_key, metric, time_bucket(INTERVAL '1 day', bucket, TIMESTAMPTZ '2000-01-01 16:00+00')
WITH NO DATA;

-- One index a level, for the one question that is asked: a device's metric over a range. (By itself the extension makes
-- three, none of which has both.) Chunks of like size; the default, ten times the chunk of the level below, would keep
-- days ten years past their retention.
CREATE INDEX rollup_5m_series ON rollup_5m (device_key, metric, bucket);
CREATE INDEX rollup_1h_series ON rollup_1h (device_key, metric, bucket);
CREATE INDEX rollup_1d_series ON rollup_1d (device_key, metric, bucket);
SELECT set_chunk_time_interval('rollup_5m', INTERVAL '3 days');
SELECT set_chunk_time_interval('rollup_1h', INTERVAL '30 days');
SELECT set_chunk_time_interval('rollup_1d', INTERVAL '90 days');

-- Each start offset reaches well past the late window of 7 days, so that a late reading still gets into its rollups when
-- the refresh itself comes days late, and stays inside the shortest raw retention of 14 days: to refresh a range whose
-- raw readings are gone would erase its rollups. Only what changed in that window is computed again.
SELECT add_continuous_aggregate_policy('rollup_5m', start_offset => INTERVAL '12 days',
    end_offset => INTERVAL '5 minutes', schedule_interval => INTERVAL '5 minutes');
SELECT add_continuous_aggregate_policy('rollup_1h', start_offset => INTERVAL '12 days',
    end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '30 minutes');
SELECT add_continuous_aggregate_policy('rollup_1d', start_offset => INTERVAL '12 days',
    end_offset => INTERVAL '1 day', schedule_interval => INTERVAL '6 hours');

-- Into the columnstore goes what no longer changes: readings after the late window, rollups after their last refresh.
-- Rollups need it most: a row of five minutes takes as much as a reading, and is kept twenty times as long.
SELECT add_compression_policy('readings', compress_after => INTERVAL '8 days');
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['rollup_5m', 'rollup_1h', 'rollup_1d'] LOOP
        EXECUTE format('ALTER MATERIALIZED VIEW %I SET (timescaledb.compress,
            timescaledb.compress_segmentby = ''device_key, metric'', timescaledb.compress_orderby = ''bucket'')', name);
        PERFORM add_compression_policy(name::regclass, compress_after => INTERVAL '14 days');
    END LOOP;
END $$;

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
