-- Readings and their relatives, as far as both databases agree; 0004 makes the time-partitioned tables.

-- The newest value of each metric of each device; guarded, so that late data never overwrites it.
CREATE TABLE latest (
    device_key integer NOT NULL,
    metric     smallint NOT NULL,
    time       timestamptz NOT NULL,
    value      double precision NOT NULL,
    flags      smallint NOT NULL DEFAULT 0,
    received   timestamptz NOT NULL,
    PRIMARY KEY (device_key, metric)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE ON latest TO anhu_ingest;
GRANT SELECT ON latest TO anhu_alerts, anhu_jobs;

CREATE TABLE events (
    device_key     integer NOT NULL REFERENCES devices (key),
    event_id       text NOT NULL CHECK (length(event_id) BETWEEN 1 AND 128),
    institution_id uuid NOT NULL,
    time           timestamptz NOT NULL,
    received       timestamptz NOT NULL,
    type           text NOT NULL,
    data           jsonb NOT NULL DEFAULT '{}',
    flags          smallint NOT NULL DEFAULT 0,
    handled_at     timestamptz,
    PRIMARY KEY (device_key, event_id)
);
CREATE INDEX events_waiting ON events (received) WHERE handled_at IS NULL;
CREATE INDEX events_time ON events (device_key, time);
SELECT protect_tenant_table('events', '{anhu_ingest,anhu_alerts,anhu_jobs}');
GRANT SELECT ON events TO anhu_api;
GRANT SELECT, INSERT ON events TO anhu_ingest;
GRANT SELECT, UPDATE ON events TO anhu_alerts;
GRANT SELECT ON events TO anhu_jobs;

-- What ingest committed, batch by batch, for those who follow it: packed arrays, numbered under one lock in the order
-- of commit. `kind` 1 = readings, 2 = motion windows; db/feed.py packs and unpacks.
CREATE TABLE feed (
    seq      bigint PRIMARY KEY,
    kind     smallint NOT NULL,
    rows     integer NOT NULL,
    payload  bytea NOT NULL,
    received timestamptz NOT NULL
);
-- Packed numbers hardly compress, and trying costs more than it saves.
ALTER TABLE feed ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE TABLE feed_head (
    one  boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq  bigint NOT NULL DEFAULT 0
);
INSERT INTO feed_head DEFAULT VALUES;
GRANT SELECT, INSERT ON feed TO anhu_ingest;
GRANT SELECT, UPDATE ON feed_head TO anhu_ingest;
GRANT SELECT ON feed, feed_head TO anhu_alerts;
GRANT SELECT, DELETE ON feed TO anhu_jobs;
GRANT SELECT ON feed_head TO anhu_jobs;

-- How far each follower has come; `checkpoint` restores its memory as it was at `checkpoint_seq`.
CREATE TABLE feed_followers (
    name           text PRIMARY KEY,
    seq            bigint NOT NULL DEFAULT 0,
    checkpoint_seq bigint NOT NULL DEFAULT 0,
    checkpoint     bytea,
    updated_at     timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON feed_followers TO anhu_alerts, anhu_jobs;

-- Input that could not be used. `institution_id` is NULL where not even the institution is known.
CREATE TABLE rejections (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid,
    site           text,
    device         text,
    topic          text NOT NULL,
    payload        bytea NOT NULL,
    reason         text NOT NULL,
    detail         text NOT NULL,
    received       timestamptz NOT NULL
);
CREATE INDEX rejections_tenant ON rejections (institution_id, id);
CREATE INDEX rejections_age ON rejections (received);
SELECT protect_tenant_table('rejections', '{anhu_ingest,anhu_jobs,anhu_admin}');
GRANT SELECT ON rejections TO anhu_api, anhu_admin;
GRANT SELECT, INSERT ON rejections TO anhu_ingest;
GRANT SELECT, DELETE ON rejections TO anhu_jobs;

-- Messages without a usable device time are stored under the time of receipt, which a redelivery would change; their
-- digests tell a redelivery from news.
CREATE TABLE clock_faults (
    device_key integer NOT NULL REFERENCES devices (key),
    digest     bytea NOT NULL,
    received   timestamptz NOT NULL,
    PRIMARY KEY (device_key, digest)
);
CREATE INDEX clock_faults_age ON clock_faults (received);
GRANT SELECT, INSERT ON clock_faults TO anhu_ingest;
GRANT SELECT, DELETE ON clock_faults TO anhu_jobs;
