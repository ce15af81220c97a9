-- The eleven services: who fulfils them, their records with history, and notices to whom it concerns.

-- Third parties that fulfil services: a canteen, a bath service, a repair firm, a hospital, a volunteer group.
CREATE TABLE providers (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    services       text[] NOT NULL CHECK (cardinality(services) BETWEEN 1 AND 11),
    licence        text NOT NULL DEFAULT '' CHECK (length(licence) <= 100),
    licence_until  date,
    phone          text NOT NULL DEFAULT '',
    blocked_at     timestamptz,
    blocked_reason text NOT NULL DEFAULT '' CHECK (length(blocked_reason) <= 500),
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    UNIQUE (institution_id, name)
);
CREATE INDEX providers_page ON providers (institution_id, created_at, id);
SELECT protect_tenant_table('providers', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON providers TO anhu_api, anhu_admin;
GRANT SELECT ON providers TO anhu_alerts, anhu_jobs;

-- Which accounts act for a provider. They see what was given to it, and nothing else.
CREATE TABLE provider_members (
    institution_id uuid NOT NULL,
    provider_id    uuid NOT NULL,
    user_id        uuid NOT NULL REFERENCES users (id),
    added_at       timestamptz NOT NULL,
    PRIMARY KEY (user_id, provider_id),
    FOREIGN KEY (institution_id, provider_id) REFERENCES providers (institution_id, id)
);
CREATE INDEX provider_members_provider ON provider_members (provider_id);
SELECT protect_tenant_table('provider_members', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, DELETE ON provider_members TO anhu_api, anhu_admin;
GRANT SELECT ON provider_members TO anhu_alerts, anhu_jobs;

-- People who come: of the institution, or of a provider.
CREATE TABLE workers (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    provider_id    uuid,
    user_id        uuid REFERENCES users (id),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    phone          text NOT NULL DEFAULT '',
    duties         text[] NOT NULL DEFAULT '{}',
    active         boolean NOT NULL DEFAULT true,
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    FOREIGN KEY (institution_id, provider_id) REFERENCES providers (institution_id, id)
);
CREATE INDEX workers_page ON workers (institution_id, created_at, id);
CREATE INDEX workers_provider ON workers (provider_id);
CREATE INDEX workers_user ON workers (user_id);
SELECT protect_tenant_table('workers', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON workers TO anhu_api, anhu_admin;
GRANT SELECT ON workers TO anhu_alerts, anhu_jobs;

CREATE TABLE worker_certificates (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    worker_id      uuid NOT NULL,
    kind           text NOT NULL CHECK (length(kind) BETWEEN 1 AND 100),
    number         text NOT NULL DEFAULT '' CHECK (length(number) <= 100),
    valid_from     date NOT NULL,
    valid_until    date CHECK (valid_until >= valid_from),
    created_at     timestamptz NOT NULL,
    FOREIGN KEY (institution_id, worker_id) REFERENCES workers (institution_id, id)
);
CREATE INDEX worker_certificates_worker ON worker_certificates (worker_id, valid_until);
SELECT protect_tenant_table('worker_certificates', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, DELETE ON worker_certificates TO anhu_api, anhu_admin;
GRANT SELECT ON worker_certificates TO anhu_alerts, anhu_jobs;

-- One row for each order, visit, plan, referral, assessment ...: the columns that lists and rules need; what only one
-- kind has stands in `detail`, in the form that the kind declares.
CREATE TABLE service_records (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    service        text NOT NULL CHECK (service ~ '^[a-z-]{1,32}$'),
    kind           text NOT NULL CHECK (kind ~ '^[a-z_]{1,32}$'),
    state          text NOT NULL CHECK (state ~ '^[a-z_]{1,32}$'),
    final          boolean NOT NULL DEFAULT false,
    resident_id    uuid,
    provider_id    uuid,
    worker_id      uuid,
    title          text NOT NULL DEFAULT '' CHECK (length(title) <= 200),
    starts_at      timestamptz,
    ends_at        timestamptz CHECK (ends_at >= starts_at),
    due_at         timestamptz,
    price          numeric(12, 2) CHECK (price >= 0),
    subsidy        numeric(12, 2) CHECK (subsidy BETWEEN 0 AND price),
    detail         jsonb NOT NULL DEFAULT '{}' CHECK (octet_length(detail::text) <= 65536),
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    created_by     uuid REFERENCES users (id),
    updated_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    FOREIGN KEY (institution_id, provider_id) REFERENCES providers (institution_id, id),
    FOREIGN KEY (institution_id, worker_id) REFERENCES workers (institution_id, id)
);
CREATE INDEX service_records_page ON service_records (institution_id, service, kind, created_at DESC, id DESC);
CREATE INDEX service_records_state ON service_records (institution_id, service, kind, state, created_at DESC, id DESC);
CREATE INDEX service_records_resident ON service_records (resident_id, service, kind, created_at DESC, id DESC);
CREATE INDEX service_records_provider ON service_records (provider_id, service, kind, created_at DESC, id DESC)
    WHERE provider_id IS NOT NULL;
CREATE INDEX service_records_due ON service_records (institution_id, due_at) WHERE NOT final AND due_at IS NOT NULL;
-- A serial number stands for one aid on loan.
CREATE UNIQUE INDEX service_records_aid_serial ON service_records (institution_id, (detail ->> 'serial'))
    WHERE service = 'rehabilitation' AND kind = 'aid' AND NOT final;
CREATE INDEX service_records_starts ON service_records (institution_id, starts_at) WHERE starts_at IS NOT NULL;
SELECT protect_tenant_table('service_records', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON service_records TO anhu_api, anhu_jobs, anhu_admin;
GRANT SELECT ON service_records TO anhu_alerts;

-- What happened to a record, by whom. Nobody who serves requests changes or removes a row.
CREATE TABLE service_events (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid NOT NULL,
    record_id      uuid NOT NULL,
    at             timestamptz NOT NULL,
    user_id        uuid REFERENCES users (id),
    actor          text NOT NULL,
    role           text NOT NULL,
    action         text NOT NULL,
    from_state     text NOT NULL DEFAULT '',
    to_state       text NOT NULL,
    detail         jsonb NOT NULL DEFAULT '{}',
    FOREIGN KEY (institution_id, record_id) REFERENCES service_records (institution_id, id)
);
CREATE INDEX service_events_record ON service_events (record_id, seq);
CREATE INDEX service_events_time ON service_events (institution_id, at);
SELECT protect_tenant_table('service_events', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON service_events TO anhu_api, anhu_jobs, anhu_admin;
GRANT SELECT ON service_events TO anhu_alerts;

-- What somebody should know when they look next; urgent things are alerts.
CREATE TABLE notices (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    user_id        uuid NOT NULL REFERENCES users (id),
    record_id      uuid,
    at             timestamptz NOT NULL,
    zh             text NOT NULL CHECK (length(zh) BETWEEN 1 AND 500),
    en             text NOT NULL CHECK (length(en) BETWEEN 1 AND 500),
    read_at        timestamptz,
    FOREIGN KEY (institution_id, record_id) REFERENCES service_records (institution_id, id)
);
CREATE INDEX notices_user ON notices (user_id, at DESC, id DESC);
SELECT protect_tenant_table('notices', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON notices TO anhu_api, anhu_jobs;
GRANT SELECT, INSERT ON notices TO anhu_alerts, anhu_admin;
