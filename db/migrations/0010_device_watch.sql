-- Watching devices: silences and suppressions, whole sites as the subject of an alert, connections that flap.

-- An alert may be about neither a person nor a device but the whole house: its line or the platform itself is down.
ALTER TABLE alerts DROP COLUMN subject;
ALTER TABLE alerts ADD COLUMN subject text NOT NULL GENERATED ALWAYS AS
    (CASE WHEN resident_id IS NOT NULL THEN 'resident:' || resident_id::text
          WHEN device_key IS NOT NULL THEN 'device:' || device_key::text
          ELSE 'site:' || institution_id::text END) STORED;
CREATE UNIQUE INDEX alerts_one_open ON alerts (institution_id, subject, type) WHERE state <> 'resolved';
DO $$
DECLARE
    name text;
BEGIN
    SELECT conname INTO STRICT name FROM pg_constraint
    WHERE conrelid = 'alerts'::regclass AND contype = 'c'
      AND pg_get_constraintdef(oid) LIKE '%resident_id IS NOT NULL%device_key IS NOT NULL%';
    EXECUTE format('ALTER TABLE alerts DROP CONSTRAINT %I', name);
END $$;
ALTER TABLE alerts ADD CONSTRAINT alerts_subject CHECK (
    resident_id IS NOT NULL OR device_key IS NOT NULL OR type IN ('site_offline', 'ingest_down'));

-- A silence or a time of maintenance: who wants what to be held back, why, and until when. A column left empty matches
-- everything; without types, only technical alerts are meant. No silence holds an emergency back.
CREATE TABLE silences (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    author_id      uuid NOT NULL REFERENCES users (id),
    reason         text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    building       text NOT NULL DEFAULT '',
    floor          text NOT NULL DEFAULT '',
    room           text NOT NULL DEFAULT '',
    device_key     integer REFERENCES devices (key),
    resident_id    uuid,
    alert_types    text[],
    starts_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL,
    ended_at       timestamptz,
    ended_by       uuid REFERENCES users (id),
    created_at     timestamptz NOT NULL,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    CHECK (ends_at > starts_at),
    CHECK (alert_types && '{sos,fall,smoke,gas,co}'::text[] IS NOT TRUE)
);
CREATE INDEX silences_current ON silences (institution_id, ends_at) WHERE ended_at IS NULL;
SELECT protect_tenant_table('silences', '{anhu_alerts,anhu_jobs}');
GRANT SELECT, INSERT, UPDATE ON silences TO anhu_api;
GRANT SELECT ON silences TO anhu_alerts, anhu_jobs;

-- Every finding that opened nothing, with what held it back. One that still holds when its cause is over is raised then.
CREATE TABLE alert_suppressions (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    at             timestamptz NOT NULL,
    cause          text NOT NULL CHECK (cause IN ('silence', 'inhibition')),
    silence_id     uuid REFERENCES silences (id),
    by_alert_id    uuid REFERENCES alerts (id),
    reason         text NOT NULL,
    type           text NOT NULL,
    severity       text NOT NULL,
    source         text NOT NULL,
    resident_id    uuid,
    device_key     integer REFERENCES devices (key),
    place          text NOT NULL DEFAULT '',
    score          real,
    evidence       jsonb NOT NULL DEFAULT '{}',
    occurred_at    timestamptz NOT NULL,
    cleared_at     timestamptz,
    released_at    timestamptz,
    CHECK ((silence_id IS NULL) <> (by_alert_id IS NULL))
);
CREATE INDEX alert_suppressions_page ON alert_suppressions (institution_id, id);
CREATE INDEX alert_suppressions_held ON alert_suppressions (institution_id)
    WHERE cleared_at IS NULL AND released_at IS NULL AND source = 'detector';
SELECT protect_tenant_table('alert_suppressions', '{anhu_alerts,anhu_jobs}');
GRANT SELECT ON alert_suppressions TO anhu_api, anhu_jobs;
GRANT SELECT, INSERT, UPDATE ON alert_suppressions TO anhu_alerts;

-- When devices came and went, as their status and last will say; kept for a few days.
CREATE TABLE device_transitions (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid NOT NULL,
    device_key     integer NOT NULL REFERENCES devices (key),
    at             timestamptz NOT NULL,
    -- What the status itself said: a message that waited at the broker is older than its receipt.
    told           timestamptz NOT NULL,
    online         boolean NOT NULL,
    seq            bigint
);
CREATE INDEX device_transitions_device ON device_transitions (device_key, at);
CREATE INDEX device_transitions_at ON device_transitions (at);
SELECT protect_tenant_table('device_transitions', '{anhu_ingest,anhu_alerts,anhu_jobs}');
GRANT SELECT ON device_transitions TO anhu_api, anhu_alerts;
GRANT SELECT, INSERT ON device_transitions TO anhu_ingest;
GRANT SELECT, DELETE ON device_transitions TO anhu_jobs;

-- Which gateway a device speaks through: its silence is the gateway's when that is down.
CREATE POLICY service_alerts ON foreign_devices FOR SELECT TO anhu_alerts USING (true);
GRANT SELECT ON foreign_devices TO anhu_alerts;
