-- Storage on TimescaleDB: a delay for the time of receipt, chunks by size, and how large they are.

-- When a reading was received is kept as its distance from the device's time, in whole seconds, the fraction dropped;
-- below 0 where the device's clock runs ahead. (A reading flagged `clock` stands under the time of receipt: its delay is
-- how long it waited to be written.) The columnstore needs a tenth of a byte for it; a second point in time takes 3.8.
-- Nothing is rewritten: rows from before keep `received` until they have reached their age, and a writer of the release
-- before may go on beside this one. One of the two columns is always NULL, and a NULL takes no room.
ALTER TABLE readings ADD COLUMN delay_seconds integer;
ALTER TABLE readings ALTER COLUMN received DROP NOT NULL;
COMMENT ON COLUMN readings.received IS 'only in rows written before schema 0009; read received from tenant_readings';
COMMENT ON COLUMN readings.delay_seconds IS 'received - time in whole seconds, the fraction dropped';

CREATE OR REPLACE VIEW tenant_readings WITH (security_barrier) AS
SELECT r.device_key, r.metric, r.time, r.value, r.flags,
       coalesce(r.received, r.time + make_interval(secs => r.delay_seconds)) AS received
FROM readings r JOIN devices d ON d.key = r.device_key WHERE d.institution_id = current_tenant();

-- The pieces of `readings` that are still written to or read row by row, with their indexes.
CREATE FUNCTION open_chunks() RETURNS TABLE (starts timestamptz, ends timestamptz, bytes bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN QUERY
    SELECT c.range_start, c.range_end, pg_total_relation_size(format('%I.%I', c.chunk_schema, c.chunk_name)::regclass)
    FROM timescaledb_information.chunks AS c
    WHERE format('%I.%I', c.hypertable_schema, c.hypertable_name)::regclass = 'readings'::regclass
      AND NOT c.is_compressed;
END $$;

-- How long a chunk of readings made from now on is; whether that is a change. Those that exist stay as they are.
CREATE FUNCTION set_chunk_hours(hours integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    asked interval := make_interval(hours => hours);
BEGIN
    IF hours NOT BETWEEN 1 AND 24 OR 24 % hours <> 0 THEN
        RAISE EXCEPTION 'a chunk of % hours does not divide a day', hours;
    END IF;
    IF EXISTS (SELECT FROM timescaledb_information.dimensions
               WHERE format('%I.%I', hypertable_schema, hypertable_name)::regclass = 'readings'::regclass
                 AND time_interval = asked) THEN
        RETURN false;
    END IF;
    PERFORM set_chunk_time_interval('readings', asked);
    RETURN true;
END $$;
REVOKE ALL ON FUNCTION open_chunks(), set_chunk_hours(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_chunks() TO anhu_jobs, anhu_admin;
GRANT EXECUTE ON FUNCTION set_chunk_hours(integer) TO anhu_jobs;
