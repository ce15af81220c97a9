-- Storage on plain PostgreSQL: a delay for the time of receipt, rollups that are found by age, and how large days are.

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

-- Rollups grow old row by row. Without these the whole table would be read for it; by the order in which buckets were
-- written they are found from a few pages of an index.
CREATE INDEX rollup_5m_age ON rollup_5m USING brin (bucket) WITH (autosummarize = on, pages_per_range = 32);
CREATE INDEX rollup_1h_age ON rollup_1h USING brin (bucket) WITH (autosummarize = on, pages_per_range = 32);
CREATE INDEX rollup_1d_age ON rollup_1d USING brin (bucket) WITH (autosummarize = on, pages_per_range = 32);

-- The pieces of `readings` that are still written to or read row by row, with their indexes.
CREATE FUNCTION open_chunks() RETURNS TABLE (starts timestamptz, ends timestamptz, bytes bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT day.starts AT TIME ZONE 'UTC', (day.starts + INTERVAL '1 day') AT TIME ZONE 'UTC', pg_total_relation_size(oid)
    FROM (SELECT c.oid, to_date(right(c.relname, 8), 'YYYYMMDD')::timestamp AS starts
          FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
          WHERE h.inhparent = 'readings'::regclass AND c.relname ~ '^readings_[0-9]{8}$') AS day
$$;

-- A day is a partition here, whatever is asked.
CREATE FUNCTION set_chunk_hours(hours integer) RETURNS boolean LANGUAGE sql RETURN false;
REVOKE ALL ON FUNCTION open_chunks(), set_chunk_hours(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_chunks() TO anhu_jobs, anhu_admin;
GRANT EXECUTE ON FUNCTION set_chunk_hours(integer) TO anhu_jobs;
