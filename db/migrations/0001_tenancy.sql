-- Roles, tenants, people: who exists and who may see whom.
--
-- A process connects with its login and takes one of these roles (db/pool.py). None of them owns a table, none can
-- bypass row security. anhu_api sees the rows of the tenant named in its transaction; the others are services that
-- work for every tenant and have rights on just the tables they need.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['anhu_api', 'anhu_ingest', 'anhu_alerts', 'anhu_jobs', 'anhu_admin', 'anhu_login'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', name);
        END IF;
        IF NOT pg_has_role(current_user, name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO CURRENT_USER', name);
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO anhu_api, anhu_ingest, anhu_alerts, anhu_jobs, anhu_admin, anhu_login;

-- The tenant of this transaction, or NULL. Only db/tenant.py sets it.
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('anhu.tenant', true), '')::uuid;

-- Switches row security on, also for the owner, and writes the two policies that every tenant table has.
CREATE FUNCTION protect_tenant_table(target regclass, services text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    service text;
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant ON %s USING (institution_id = current_tenant())
                    WITH CHECK (institution_id = current_tenant())', target);
    FOREACH service IN ARRAY services LOOP
        EXECUTE format('CREATE POLICY %I ON %s TO %I USING (true) WITH CHECK (true)',
                       replace(service, 'anhu_', 'service_'), target, service);
    END LOOP;
END $$;

CREATE TABLE institutions (
    id          uuid PRIMARY KEY,
    code        text NOT NULL UNIQUE CHECK (code ~ '^[a-z0-9-]{1,32}$'),
    name_zh     text NOT NULL CHECK (length(name_zh) BETWEEN 1 AND 200),
    name_en     text NOT NULL DEFAULT '',
    timezone    text NOT NULL DEFAULT 'Asia/Shanghai',
    phone       text NOT NULL DEFAULT '',
    address     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL
);
ALTER TABLE institutions ENABLE ROW LEVEL SECURITY;
ALTER TABLE institutions FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON institutions USING (id = current_tenant()) WITH CHECK (id = current_tenant());
CREATE POLICY service_ingest ON institutions FOR SELECT TO anhu_ingest USING (true);
CREATE POLICY service_alerts ON institutions FOR SELECT TO anhu_alerts USING (true);
CREATE POLICY service_jobs ON institutions FOR SELECT TO anhu_jobs USING (true);
CREATE POLICY service_admin ON institutions TO anhu_admin USING (true) WITH CHECK (true);
CREATE POLICY service_login ON institutions FOR SELECT TO anhu_login USING (true);
GRANT SELECT ON institutions TO anhu_api, anhu_ingest, anhu_alerts, anhu_jobs, anhu_login;
GRANT SELECT, INSERT, UPDATE ON institutions TO anhu_admin;

-- One counter a tenant, raised under its row lock: numbers of alert entries appear in the order of commit, without a
-- gap, so that a listener who resumes after number n misses nothing.
CREATE TABLE institution_streams (
    institution_id uuid PRIMARY KEY REFERENCES institutions (id),
    last_seq       bigint NOT NULL DEFAULT 0
);
SELECT protect_tenant_table('institution_streams', '{anhu_alerts,anhu_admin,anhu_jobs}');
GRANT SELECT, UPDATE ON institution_streams TO anhu_api, anhu_alerts, anhu_jobs;
GRANT SELECT, INSERT ON institution_streams TO anhu_admin;

CREATE TABLE users (
    id             uuid PRIMARY KEY,
    institution_id uuid REFERENCES institutions (id),
    username       text NOT NULL CHECK (username = lower(username) AND length(username) BETWEEN 3 AND 64),
    password_hash  text NOT NULL,
    role           text NOT NULL CHECK (role IN ('admin','caregiver','family','provider','regulator','platform')),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    phone          text NOT NULL DEFAULT '',
    on_duty        boolean NOT NULL DEFAULT false,
    token_version  integer NOT NULL DEFAULT 1,
    disabled_at    timestamptz,
    created_at     timestamptz NOT NULL,
    CHECK (institution_id IS NOT NULL OR role IN ('regulator', 'platform'))
);
CREATE UNIQUE INDEX users_username ON users (username);
CREATE INDEX users_institution ON users (institution_id, role);
SELECT protect_tenant_table('users', '{anhu_alerts,anhu_jobs,anhu_admin}');
CREATE POLICY service_login ON users FOR SELECT TO anhu_login USING (true);
GRANT SELECT, INSERT, UPDATE ON users TO anhu_api, anhu_admin;
GRANT SELECT ON users TO anhu_alerts, anhu_jobs, anhu_login;

-- Signing in comes before any tenant is known: two narrow doors, owned by a role that can read accounts and no more.
CREATE FUNCTION login_by_username(wanted text)
RETURNS TABLE (id uuid, institution_id uuid, site text, username text, password_hash text, role text, name text,
               token_version integer, disabled boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.institution_id, i.code, u.username, u.password_hash, u.role, u.name, u.token_version,
           u.disabled_at IS NOT NULL
    FROM users u LEFT JOIN institutions i ON i.id = u.institution_id
    WHERE u.username = lower(wanted)
$$;
CREATE FUNCTION login_by_id(wanted uuid)
RETURNS TABLE (id uuid, institution_id uuid, site text, username text, role text, name text, token_version integer,
               disabled boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.institution_id, i.code, u.username, u.role, u.name, u.token_version, u.disabled_at IS NOT NULL
    FROM users u LEFT JOIN institutions i ON i.id = u.institution_id
    WHERE u.id = wanted
$$;
REVOKE ALL ON FUNCTION login_by_username(text), login_by_id(uuid) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO anhu_login;
ALTER FUNCTION login_by_username(text) OWNER TO anhu_login;
ALTER FUNCTION login_by_id(uuid) OWNER TO anhu_login;
REVOKE CREATE ON SCHEMA public FROM anhu_login;
SET LOCAL ROLE anhu_login;
GRANT EXECUTE ON FUNCTION login_by_username(text), login_by_id(uuid) TO anhu_api;
RESET ROLE;

-- Refresh tokens are used once; using one twice means that it was stolen, and ends its whole family.
CREATE TABLE refresh_tokens (
    id             uuid PRIMARY KEY,
    institution_id uuid,
    user_id        uuid NOT NULL REFERENCES users (id),
    family_id      uuid NOT NULL,
    token_hash     bytea NOT NULL,
    issued_at      timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz,
    revoked_at     timestamptz
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);
ALTER TABLE refresh_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE refresh_tokens FORCE ROW LEVEL SECURITY;
-- A regulator or platform account has no institution; its tokens belong to the empty tenant.
CREATE POLICY tenant ON refresh_tokens USING (institution_id IS NOT DISTINCT FROM current_tenant())
    WITH CHECK (institution_id IS NOT DISTINCT FROM current_tenant());
CREATE POLICY service_jobs ON refresh_tokens TO anhu_jobs USING (true);
GRANT SELECT, INSERT, UPDATE ON refresh_tokens TO anhu_api;
GRANT SELECT, DELETE ON refresh_tokens TO anhu_jobs;

CREATE TABLE residents (
    id             uuid PRIMARY KEY,
    key            integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    sex            text NOT NULL CHECK (sex IN ('female', 'male', 'other', 'unknown')),
    birth_date     date NOT NULL,
    building       text NOT NULL DEFAULT '',
    floor          text NOT NULL DEFAULT '',
    room           text NOT NULL DEFAULT '',
    address        text NOT NULL DEFAULT '',
    phone          text NOT NULL DEFAULT '',
    care_level     smallint CHECK (care_level BETWEEN 0 AND 4),
    conditions     text NOT NULL DEFAULT '',
    medication     text NOT NULL DEFAULT '',
    access_notes   text NOT NULL DEFAULT '',
    status         text NOT NULL DEFAULT 'active'
                   CHECK (status IN ('active', 'away', 'hospital', 'discharged', 'deceased')),
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id)
);
CREATE INDEX residents_page ON residents (institution_id, created_at, id);
SELECT protect_tenant_table('residents', '{anhu_ingest,anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON residents TO anhu_api, anhu_admin;
GRANT SELECT ON residents TO anhu_alerts, anhu_jobs;

-- Where to go, as staff say it: 1号楼 2层 203室.
CREATE FUNCTION place_text(building text, floor text, room text, address text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN concat_ws(' ',
    CASE WHEN building ~ '^[0-9]+$' THEN building || '号楼' ELSE nullif(building, '') END,
    CASE WHEN floor ~ '^-?[0-9]+$' THEN floor || '层' ELSE nullif(floor, '') END,
    CASE WHEN room ~ '^[0-9]+$' THEN room || '室' ELSE nullif(room, '') END,
    nullif(address, ''));

CREATE TABLE contacts (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    position       smallint NOT NULL CHECK (position BETWEEN 1 AND 20),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    relation       text NOT NULL DEFAULT '',
    phone          text NOT NULL DEFAULT '',
    user_id        uuid REFERENCES users (id),
    created_at     timestamptz NOT NULL,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    UNIQUE (resident_id, position)
);
CREATE INDEX contacts_user ON contacts (user_id);
SELECT protect_tenant_table('contacts', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE, DELETE ON contacts TO anhu_api, anhu_admin;
GRANT SELECT ON contacts TO anhu_alerts, anhu_jobs;

-- A consent is given to one account for one purpose; withdrawing ends it and keeps the record.
CREATE TABLE consents (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    user_id        uuid NOT NULL REFERENCES users (id),
    scope          text NOT NULL CHECK (scope IN ('alerts', 'health', 'location', 'activity')),
    granted_at     timestamptz NOT NULL,
    granted_by     text NOT NULL,
    withdrawn_at   timestamptz,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE UNIQUE INDEX consents_current ON consents (resident_id, user_id, scope) WHERE withdrawn_at IS NULL;
CREATE INDEX consents_user ON consents (user_id) WHERE withdrawn_at IS NULL;
SELECT protect_tenant_table('consents', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON consents TO anhu_api, anhu_admin;
GRANT SELECT ON consents TO anhu_alerts, anhu_jobs;

-- Who read or wrote what. Nobody who serves requests may change or remove a row.
CREATE TABLE audit_log (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid,
    at             timestamptz NOT NULL,
    user_id        uuid,
    username       text NOT NULL DEFAULT '',
    role           text NOT NULL DEFAULT '',
    action         text NOT NULL,
    object_type    text NOT NULL,
    object_id      text NOT NULL DEFAULT '',
    detail         jsonb NOT NULL DEFAULT '{}',
    request_id     text NOT NULL DEFAULT '',
    address        text NOT NULL DEFAULT '',
    success        boolean NOT NULL DEFAULT true
);
CREATE INDEX audit_log_tenant ON audit_log (institution_id, at);
CREATE INDEX audit_log_object ON audit_log (object_type, object_id, at);
ALTER TABLE audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_read ON audit_log FOR SELECT USING (institution_id = current_tenant());
CREATE POLICY tenant_write ON audit_log FOR INSERT
    WITH CHECK (institution_id IS NOT DISTINCT FROM current_tenant() OR institution_id IS NULL);
CREATE POLICY service_jobs ON audit_log TO anhu_jobs USING (true);
CREATE POLICY service_admin ON audit_log TO anhu_admin USING (true) WITH CHECK (true);
CREATE POLICY service_alerts ON audit_log FOR INSERT TO anhu_alerts WITH CHECK (true);
GRANT SELECT, INSERT ON audit_log TO anhu_api, anhu_admin;
GRANT INSERT ON audit_log TO anhu_alerts;
GRANT SELECT, INSERT, DELETE ON audit_log TO anhu_jobs;
