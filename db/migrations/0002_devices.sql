-- Metrics, devices and who wears or houses them when.

CREATE TABLE metrics (
    id    smallint PRIMARY KEY,
    code  text NOT NULL UNIQUE,
    unit  text NOT NULL,
    ucum  text NOT NULL,
    loinc text,
    low   double precision NOT NULL,
    high  double precision NOT NULL,
    kind  text NOT NULL,
    zh    text NOT NULL,
    en    text NOT NULL
);
GRANT SELECT ON metrics TO anhu_api, anhu_ingest, anhu_alerts, anhu_jobs, anhu_admin;

CREATE TABLE devices (
    key                 integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id      uuid NOT NULL REFERENCES institutions (id),
    id                  text NOT NULL CHECK (id ~ '^[A-Za-z0-9_-]{1,64}$'),
    kind                text NOT NULL,
    model               text NOT NULL DEFAULT '',
    name                text NOT NULL DEFAULT '',
    -- The password is derived from this salt and the platform's device key and is not stored; the hash checks one.
    credential_salt     bytea NOT NULL,
    password_hash       bytea NOT NULL,
    credential_rotated_at timestamptz NOT NULL,
    supervision_seconds integer NOT NULL CHECK (supervision_seconds BETWEEN 30 AND 604800),
    position            text NOT NULL DEFAULT '' CHECK (position IN ('', 'wrist', 'waist')),
    version             integer NOT NULL DEFAULT 1,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    retired_at          timestamptz,
    UNIQUE (institution_id, id)
);
SELECT protect_tenant_table('devices', '{anhu_ingest,anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON devices TO anhu_api, anhu_admin;
GRANT SELECT ON devices TO anhu_ingest, anhu_alerts, anhu_jobs;

-- What a device says of itself, and when anything was last heard of it.
CREATE TABLE device_status (
    device_key     integer PRIMARY KEY REFERENCES devices (key),
    institution_id uuid NOT NULL,
    online         boolean NOT NULL DEFAULT false,
    status_time    timestamptz,
    status_seq     bigint,
    battery        real,
    rssi           real,
    firmware       text,
    last_seen      timestamptz,
    last_sample    timestamptz
);
SELECT protect_tenant_table('device_status', '{anhu_ingest,anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT ON device_status TO anhu_api, anhu_alerts, anhu_jobs;
GRANT SELECT, INSERT, UPDATE ON device_status TO anhu_ingest, anhu_admin;
GRANT INSERT ON device_status TO anhu_api;

-- A device serves one resident or one room for an interval; no two intervals of a device overlap.
CREATE TABLE bindings (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    device_key     integer NOT NULL REFERENCES devices (key),
    resident_id    uuid,
    room           text NOT NULL DEFAULT '',
    bound_from     timestamptz NOT NULL,
    bound_to       timestamptz,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    CHECK (bound_to IS NULL OR bound_to > bound_from),
    CHECK (resident_id IS NOT NULL OR room <> ''),
    CONSTRAINT bindings_no_overlap EXCLUDE USING gist (
        int4range(device_key, device_key, '[]') WITH &&, tstzrange(bound_from, bound_to) WITH &&)
);
CREATE INDEX bindings_resident ON bindings (resident_id, bound_from);
CREATE INDEX bindings_device ON bindings (device_key, bound_from);
SELECT protect_tenant_table('bindings', '{anhu_ingest,anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON bindings TO anhu_api, anhu_admin;
GRANT SELECT ON bindings TO anhu_ingest, anhu_alerts, anhu_jobs;

-- Wakes ingest, alerts and the broker's account keeper when devices or bindings change.
CREATE FUNCTION tell_devices_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('anhu_device', '');
    RETURN NULL;
END $$;
CREATE TRIGGER devices_changed AFTER INSERT OR UPDATE OR DELETE ON devices
    FOR EACH STATEMENT EXECUTE FUNCTION tell_devices_changed();
CREATE TRIGGER bindings_changed AFTER INSERT OR UPDATE OR DELETE ON bindings
    FOR EACH STATEMENT EXECUTE FUNCTION tell_devices_changed();

CREATE TABLE device_commands (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    device_key     integer NOT NULL REFERENCES devices (key),
    type           text NOT NULL CHECK (type ~ '^[a-z][a-z0-9_]{0,63}$'),
    args           jsonb NOT NULL DEFAULT '{}',
    state          text NOT NULL DEFAULT 'requested'
                   CHECK (state IN ('requested', 'sent', 'acknowledged', 'failed', 'expired')),
    requested_by   uuid,
    requested_at   timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    sent_at        timestamptz,
    answered_at    timestamptz,
    result         jsonb
);
CREATE INDEX device_commands_waiting ON device_commands (requested_at) WHERE state = 'requested';
CREATE INDEX device_commands_device ON device_commands (device_key, requested_at);
SELECT protect_tenant_table('device_commands', '{anhu_ingest,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON device_commands TO anhu_api;
GRANT SELECT, UPDATE ON device_commands TO anhu_ingest, anhu_jobs;
