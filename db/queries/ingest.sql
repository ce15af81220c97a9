-- What ingest writes.

-- name: create_stage
-- Readings of which some may be stored already, and the newest of each key.
CREATE TEMPORARY TABLE IF NOT EXISTS stage_readings (
    device_key integer, metric smallint, time timestamptz, value double precision, flags smallint, delay_seconds integer
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS stage_latest (LIKE latest) ON COMMIT DELETE ROWS;
-- A staged batch is always small beside what it is joined with: look up each of its rows, in its order.
SET enable_hashjoin = off;
SET enable_mergejoin = off

-- name: copy_readings
-- Straight into the series: half the work of the way over the stage, but a single row that is there already ends it.
COPY readings (device_key, metric, time, value, flags, delay_seconds) FROM STDIN (FORMAT binary)

-- name: copy_stage
COPY stage_readings (device_key, metric, time, value, flags, delay_seconds) FROM STDIN (FORMAT binary)

-- name: insert_staged
INSERT INTO readings (device_key, metric, time, value, flags, delay_seconds)
SELECT device_key, metric, time, value, flags, delay_seconds FROM stage_readings
ON CONFLICT (device_key, metric, time) DO NOTHING

-- name: copy_latest
COPY stage_latest (device_key, metric, time, value, flags, received) FROM STDIN (FORMAT binary)

-- name: update_latest
-- What the next one does, at two thirds of its price, where every key is there already and every value is news.
UPDATE latest SET time = new.time, value = new.value, flags = new.flags, received = new.received
FROM stage_latest AS new
WHERE latest.device_key = new.device_key AND latest.metric = new.metric AND latest.time < new.time

-- name: upsert_latest
-- Rows were copied in the order of their key, so that two writers cannot wait for each other.
INSERT INTO latest (device_key, metric, time, value, flags, received)
SELECT device_key, metric, time, value, flags, received FROM stage_latest
ON CONFLICT (device_key, metric) DO UPDATE
SET time = excluded.time, value = excluded.value, flags = excluded.flags, received = excluded.received
WHERE latest.time < excluded.time

-- name: insert_event
WITH new AS (
    INSERT INTO events (device_key, event_id, institution_id, time, received, type, data, flags)
    VALUES (%(device_key)s, %(event_id)s, %(institution)s, %(time)s, %(received)s, %(type)s, %(data)s, %(flags)s)
    ON CONFLICT (device_key, event_id) DO NOTHING RETURNING 1)
SELECT pg_notify('anhu_event', '') FROM new

-- name: insert_motion
INSERT INTO motion_windows (device_key, time, hz, scale, counts, flags, received)
VALUES (%(device_key)s, %(time)s, %(hz)s, %(scale)s, %(counts)s, %(flags)s, %(received)s)
ON CONFLICT (device_key, time) DO NOTHING

-- name: upsert_status
-- A device that says "online" out of turn (older number and older time) changes nothing; "offline" always counts, since
-- a last will was worded when the connection began and arrives when it breaks.
WITH was AS (
    SELECT online FROM device_status WHERE device_key = %(device_key)s
), noted AS (
    -- Coming and going is kept for a while: two clients with one id show in it.
    INSERT INTO device_transitions (institution_id, device_key, at, told, online, seq)
    SELECT %(institution)s, %(device_key)s, %(received)s, %(time)s, %(online)s, %(seq)s::bigint
    FROM was WHERE was.online IS DISTINCT FROM %(online)s
)
INSERT INTO device_status (device_key, institution_id, online, status_time, status_seq, battery, rssi, firmware,
                           last_seen)
VALUES (%(device_key)s, %(institution)s, %(online)s, %(time)s, %(seq)s, %(battery)s, %(rssi)s, %(firmware)s, %(seen)s)
ON CONFLICT (device_key) DO UPDATE SET
    online = excluded.online,
    -- A last will is as old as its connection: it says nothing of how far the device's numbers have come.
    status_time = CASE WHEN excluded.online THEN excluded.status_time
                       ELSE greatest(device_status.status_time, excluded.status_time) END,
    status_seq = CASE WHEN excluded.online THEN coalesce(excluded.status_seq, device_status.status_seq)
                      ELSE greatest(device_status.status_seq, excluded.status_seq) END,
    battery = coalesce(excluded.battery, device_status.battery),
    rssi = coalesce(excluded.rssi, device_status.rssi),
    firmware = coalesce(excluded.firmware, device_status.firmware),
    last_seen = CASE WHEN excluded.online THEN greatest(device_status.last_seen, excluded.last_seen)
                     ELSE device_status.last_seen END
WHERE NOT excluded.online OR device_status.status_seq IS NULL OR device_status.status_time IS NULL
   OR excluded.status_seq IS NULL OR excluded.status_seq >= device_status.status_seq
   OR excluded.status_time > device_status.status_time

-- name: mark_seen
INSERT INTO device_status (device_key, institution_id, online, last_seen, last_sample)
SELECT device_key, institution_id, true, %(received)s, to_timestamp(sample)
FROM unnest(%(device_key)s::int[], %(institution)s::uuid[], %(sample)s::float8[])
    AS new (device_key, institution_id, sample)
ON CONFLICT (device_key) DO UPDATE SET
    last_seen = greatest(device_status.last_seen, excluded.last_seen),
    last_sample = greatest(device_status.last_sample, excluded.last_sample)

-- name: insert_rejections
INSERT INTO rejections (institution_id, site, device, topic, payload, payload_bytes, reason, detail, received)
SELECT * FROM unnest(
    %(institution)s::uuid[], %(site)s::text[], %(device)s::text[], %(topic)s::text[], %(payload)s::bytea[],
    %(payload_bytes)s::int[], %(reason)s::text[], %(detail)s::text[], %(received)s::timestamptz[])

-- name: claim_clock_fault
-- A message whose time was replaced has lost its natural key; its digest takes the place.
INSERT INTO clock_faults (device_key, digest, received) VALUES (%(device_key)s, %(digest)s, %(received)s)
ON CONFLICT (device_key, digest) DO NOTHING

-- name: beat
INSERT INTO heartbeats (role, instance, at, detail) VALUES (%(role)s, %(instance)s, %(now)s, %(detail)s)
ON CONFLICT (role, instance) DO UPDATE SET at = excluded.at, detail = excluded.detail
