-- What speaks through gateways, and the door for vendors' clouds.

-- A device behind a gateway, in the words of its own system. `device_key` is empty until somebody says which registered
-- device it is; until then nothing of what it measures is stored.
CREATE TABLE foreign_devices (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id   uuid NOT NULL REFERENCES institutions (id),
    gateway_key      integer NOT NULL REFERENCES devices (key),
    adapter          text NOT NULL CHECK (adapter ~ '^[a-z0-9_]{1,32}$'),
    native_id        text NOT NULL CHECK (length(native_id) BETWEEN 1 AND 128),
    facts            jsonb NOT NULL DEFAULT '{}',
    -- What was last heard of smoke, door, tamper ...: an event is a change of these.
    states           jsonb NOT NULL DEFAULT '{}',
    device_key       integer REFERENCES devices (key),
    -- Which uses of a button are a call for help; NULL leaves it to the kind of the device.
    sos_actions      text[],
    link_quality     real,
    samples_unmapped bigint NOT NULL DEFAULT 0,
    first_seen       timestamptz NOT NULL,
    last_seen        timestamptz NOT NULL,
    rejected_at      timestamptz,
    UNIQUE (gateway_key, adapter, native_id)
);
CREATE INDEX foreign_devices_page ON foreign_devices (institution_id, id);
CREATE INDEX foreign_devices_device ON foreign_devices (device_key) WHERE device_key IS NOT NULL;
SELECT protect_tenant_table('foreign_devices', '{anhu_ingest,anhu_admin,anhu_jobs}');
GRANT SELECT, UPDATE ON foreign_devices TO anhu_api, anhu_admin;
GRANT SELECT, INSERT, UPDATE, DELETE ON foreign_devices TO anhu_ingest;
GRANT SELECT, DELETE ON foreign_devices TO anhu_jobs;

-- Ingest keeps the mappings, and what discovery told, in memory.
CREATE TRIGGER foreign_devices_added AFTER INSERT ON foreign_devices
    FOR EACH ROW WHEN (NEW.device_key IS NOT NULL OR NEW.adapter = 'homeassistant')
    EXECUTE FUNCTION tell_devices_changed();
CREATE TRIGGER foreign_devices_changed AFTER UPDATE ON foreign_devices
    FOR EACH ROW WHEN (OLD.device_key IS DISTINCT FROM NEW.device_key
                       OR OLD.sos_actions IS DISTINCT FROM NEW.sos_actions
                       OR (NEW.adapter = 'homeassistant' AND OLD.facts IS DISTINCT FROM NEW.facts))
    EXECUTE FUNCTION tell_devices_changed();

-- A message through a gateway rarely says when it was made. Its digest tells a redelivery from news; unlike those of
-- devices with a number in each message, the same words may be true again later.
GRANT UPDATE ON clock_faults TO anhu_ingest;

-- Keys of vendors' clouds. The secret is derived from the platform's device key and this salt and is not stored.
CREATE TABLE ingest_keys (
    id             text PRIMARY KEY CHECK (id ~ '^[a-z0-9]{16}$'),
    institution_id uuid NOT NULL REFERENCES institutions (id),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    salt           bytea NOT NULL,
    created_at     timestamptz NOT NULL,
    last_used_at   timestamptz,
    revoked_at     timestamptz
);
CREATE INDEX ingest_keys_tenant ON ingest_keys (institution_id);
SELECT protect_tenant_table('ingest_keys', '{anhu_admin}');
CREATE POLICY service_login ON ingest_keys FOR SELECT TO anhu_login USING (true);
GRANT SELECT, INSERT, UPDATE ON ingest_keys TO anhu_admin;
GRANT SELECT, UPDATE ON ingest_keys TO anhu_api;
GRANT SELECT ON ingest_keys TO anhu_login;

-- A key is presented before any tenant is known: one narrow door, as for signing in.
CREATE FUNCTION ingest_key_of_site(wanted text, site text)
RETURNS TABLE (institution_id uuid, salt bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.institution_id, k.salt
    FROM ingest_keys k JOIN institutions i ON i.id = k.institution_id
    WHERE k.id = wanted AND i.code = site AND k.revoked_at IS NULL
$$;
REVOKE ALL ON FUNCTION ingest_key_of_site(text, text) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO anhu_login;
ALTER FUNCTION ingest_key_of_site(text, text) OWNER TO anhu_login;
REVOKE CREATE ON SCHEMA public FROM anhu_login;
SET LOCAL ROLE anhu_login;
GRANT EXECUTE ON FUNCTION ingest_key_of_site(text, text) TO anhu_api;
RESET ROLE;

-- Requests already taken in, so that one sent again is known.
CREATE TABLE ingest_requests (
    institution_id uuid NOT NULL REFERENCES institutions (id),
    request_id     text NOT NULL CHECK (length(request_id) BETWEEN 1 AND 128),
    body_digest    bytea NOT NULL,
    messages       integer NOT NULL,
    received       timestamptz NOT NULL,
    PRIMARY KEY (institution_id, request_id)
);
CREATE INDEX ingest_requests_age ON ingest_requests (institution_id, received);
SELECT protect_tenant_table('ingest_requests', '{anhu_jobs}');
GRANT SELECT, INSERT, DELETE ON ingest_requests TO anhu_api;
GRANT SELECT, DELETE ON ingest_requests TO anhu_jobs;

-- Verified messages on their way to ingest, which takes them out in the transaction that stores what they say.
CREATE TABLE ingest_inbox (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    site           text NOT NULL,
    device         text NOT NULL,
    channel        text NOT NULL CHECK (channel IN ('telemetry', 'event', 'status', 'motion')),
    payload        bytea NOT NULL,
    received       timestamptz NOT NULL
);
CREATE INDEX ingest_inbox_order ON ingest_inbox ((channel <> 'event'), id);
CREATE INDEX ingest_inbox_tenant ON ingest_inbox (institution_id);
SELECT protect_tenant_table('ingest_inbox', '{anhu_ingest,anhu_jobs}');
GRANT SELECT, INSERT ON ingest_inbox TO anhu_api;
GRANT SELECT, UPDATE, DELETE ON ingest_inbox TO anhu_ingest;
GRANT SELECT ON ingest_inbox TO anhu_jobs;
