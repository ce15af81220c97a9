-- Whether a device that somebody's life may hang on was tried lately: its record of checks, and announced drills.

-- The keeper of the broker's accounts works as anhu_admin and says that it lives.
GRANT INSERT, UPDATE ON heartbeats TO anhu_admin;

-- How often, where an institution says otherwise than the setting: for a kind of device, or for one model of it.
CREATE TABLE check_intervals (
    institution_id uuid NOT NULL REFERENCES institutions (id),
    kind           text NOT NULL,
    model          text NOT NULL DEFAULT '',
    days           smallint NOT NULL CHECK (days BETWEEN 1 AND 366),
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (institution_id, kind, model)
);
SELECT protect_tenant_table('check_intervals', '{anhu_alerts,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON check_intervals TO anhu_api, anhu_admin;
GRANT SELECT ON check_intervals TO anhu_alerts;

-- One row for each check that was made. `due_at` is when it had been due; a failed check leaves the device due.
CREATE TABLE device_checks (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    device_key     integer NOT NULL REFERENCES devices (key),
    due_at         timestamptz,
    done_at        timestamptz NOT NULL,
    how            text NOT NULL CHECK (how IN ('test_event', 'drill', 'manual')),
    result         text NOT NULL CHECK (result IN ('passed', 'failed')),
    done_by        uuid REFERENCES users (id),
    event_id       text,
    note           text NOT NULL DEFAULT '' CHECK (length(note) <= 1000),
    CHECK ((how = 'manual') = (done_by IS NOT NULL) OR how = 'drill'),
    UNIQUE (device_key, event_id)
);
CREATE INDEX device_checks_device ON device_checks (device_key, done_at DESC);
SELECT protect_tenant_table('device_checks', '{anhu_alerts,anhu_admin}');
GRANT SELECT, INSERT ON device_checks TO anhu_api, anhu_alerts;
GRANT SELECT ON device_checks TO anhu_admin;

-- A window in which a device's next emergency event is a drill. Used once.
CREATE TABLE device_drills (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    device_key     integer NOT NULL REFERENCES devices (key),
    opens_at       timestamptz NOT NULL,
    closes_at      timestamptz NOT NULL CHECK (closes_at > opens_at),
    announced_by   uuid NOT NULL REFERENCES users (id),
    note           text NOT NULL DEFAULT '' CHECK (length(note) <= 1000),
    event_id       text,
    used_at        timestamptz
);
CREATE INDEX device_drills_waiting ON device_drills (device_key, opens_at) WHERE used_at IS NULL;
SELECT protect_tenant_table('device_drills', '{anhu_alerts}');
GRANT SELECT, INSERT, UPDATE ON device_drills TO anhu_api;
GRANT SELECT, UPDATE ON device_drills TO anhu_alerts;
