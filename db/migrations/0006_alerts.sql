-- Alerts, their timeline, escalation, notifications. Alert, timeline, steps and outbox always change in one transaction.

-- Steps: [{"after_seconds": 0, "whom": "on_duty" | "contact:1" | "desk" | "everyone" | "user:<id>"}, ...].
-- `alert_type` NULL is the institution's plan for every type that has none of its own.
CREATE TABLE escalation_plans (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    alert_type     text,
    steps          jsonb NOT NULL,
    version        integer NOT NULL DEFAULT 1,
    updated_at     timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (institution_id, alert_type)
);
SELECT protect_tenant_table('escalation_plans', '{anhu_alerts,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON escalation_plans TO anhu_api, anhu_admin;
GRANT SELECT ON escalation_plans TO anhu_alerts;

-- Where pages go. The owner is an account, a contact, or (both NULL) the institution's duty desk.
-- `target` is an Apprise URL or a webhook URL and may hold secrets; `secret` signs webhooks.
CREATE TABLE notification_channels (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    user_id        uuid REFERENCES users (id),
    contact_id     uuid REFERENCES contacts (id) ON DELETE CASCADE,
    kind           text NOT NULL CHECK (kind IN ('apprise', 'webhook')),
    position       smallint NOT NULL DEFAULT 1,
    target         text NOT NULL,
    secret         text NOT NULL DEFAULT '',
    is_public      boolean NOT NULL DEFAULT false,
    enabled        boolean NOT NULL DEFAULT true,
    created_at     timestamptz NOT NULL,
    CHECK (user_id IS NULL OR contact_id IS NULL)
);
CREATE INDEX notification_channels_owner ON notification_channels (institution_id, user_id, contact_id);
SELECT protect_tenant_table('notification_channels', '{anhu_alerts,anhu_admin}');
GRANT SELECT, INSERT, UPDATE, DELETE ON notification_channels TO anhu_api, anhu_admin;
GRANT SELECT ON notification_channels TO anhu_alerts;

CREATE TABLE alerts (
    id              uuid PRIMARY KEY,
    institution_id  uuid NOT NULL REFERENCES institutions (id),
    resident_id     uuid,
    device_key      integer REFERENCES devices (key),
    -- Whom or what the alert is about: the resident, else the device itself.
    subject         text NOT NULL GENERATED ALWAYS AS
                    (CASE WHEN resident_id IS NOT NULL THEN 'resident:' || resident_id::text
                          ELSE 'device:' || device_key::text END) STORED,
    place           text NOT NULL DEFAULT '',
    type            text NOT NULL,
    severity        text NOT NULL CHECK (severity IN ('critical', 'high', 'medium', 'low')),
    state           text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'on_site', 'resolved')),
    source          text NOT NULL CHECK (source IN ('event', 'detector', 'person')),
    score           real,
    evidence        jsonb NOT NULL DEFAULT '{}',
    plan            jsonb NOT NULL DEFAULT '[]',
    occurred_at     timestamptz NOT NULL,
    opened_at       timestamptz NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by uuid REFERENCES users (id),
    on_site_at      timestamptz,
    on_site_by      uuid REFERENCES users (id),
    resolved_at     timestamptz,
    resolved_by     uuid REFERENCES users (id),
    outcome         text CHECK (outcome IN ('assisted', 'hospital', 'false_alarm', 'test', 'no_action', 'other')),
    cleared_at      timestamptz,
    deadline_at     timestamptz,
    occurrences     integer NOT NULL DEFAULT 1,
    last_occurred_at timestamptz NOT NULL,
    version         integer NOT NULL DEFAULT 1,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    CHECK (resident_id IS NOT NULL OR device_key IS NOT NULL),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK ((state = 'resolved') = (outcome IS NOT NULL))
);
-- The guarantee that nobody has to think about: at most one open alert per subject and type.
CREATE UNIQUE INDEX alerts_one_open ON alerts (institution_id, subject, type) WHERE state <> 'resolved';
CREATE INDEX alerts_page ON alerts (institution_id, opened_at DESC, id DESC);
CREATE INDEX alerts_resident ON alerts (resident_id, opened_at DESC);
CREATE INDEX alerts_deadline ON alerts (deadline_at) WHERE state <> 'resolved';
SELECT protect_tenant_table('alerts', '{anhu_alerts,anhu_jobs}');
GRANT SELECT, UPDATE ON alerts TO anhu_api;
GRANT SELECT, INSERT, UPDATE ON alerts TO anhu_alerts;
GRANT SELECT ON alerts TO anhu_jobs;

-- The timeline. `seq` counts within the institution in the order of commit; it is the id of the event stream.
CREATE TABLE alert_entries (
    institution_id uuid NOT NULL REFERENCES institutions (id),
    seq            bigint NOT NULL,
    alert_id       uuid NOT NULL REFERENCES alerts (id),
    at             timestamptz NOT NULL,
    kind           text NOT NULL,
    actor_id       uuid,
    actor          text NOT NULL DEFAULT '',
    note           text NOT NULL DEFAULT '',
    data           jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (institution_id, seq)
);
CREATE INDEX alert_entries_alert ON alert_entries (alert_id, seq);
SELECT protect_tenant_table('alert_entries', '{anhu_alerts,anhu_jobs}');
GRANT SELECT, INSERT ON alert_entries TO anhu_api, anhu_alerts;
GRANT SELECT ON alert_entries TO anhu_jobs;

CREATE TABLE escalation_steps (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    alert_id       uuid NOT NULL REFERENCES alerts (id),
    position       smallint NOT NULL,
    whom           text NOT NULL,
    due_at         timestamptz NOT NULL,
    state          text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'cancelled')),
    done_at        timestamptz,
    reason         text NOT NULL DEFAULT ''
);
CREATE INDEX escalation_steps_due ON escalation_steps (due_at) WHERE state = 'pending';
CREATE INDEX escalation_steps_alert ON escalation_steps (alert_id, due_at);
SELECT protect_tenant_table('escalation_steps', '{anhu_alerts,anhu_jobs}');
GRANT SELECT, INSERT, UPDATE ON escalation_steps TO anhu_api, anhu_alerts;
GRANT SELECT ON escalation_steps TO anhu_jobs;

CREATE TABLE outbox (
    id              uuid PRIMARY KEY,
    institution_id  uuid NOT NULL REFERENCES institutions (id),
    alert_id        uuid NOT NULL REFERENCES alerts (id),
    step_id         uuid REFERENCES escalation_steps (id),
    -- (alert, step, occurrence, recipient, channel): the same page is never written twice.
    idempotency_key text NOT NULL UNIQUE,
    recipient       text NOT NULL,
    recipient_name  text NOT NULL,
    channel_id      uuid,
    channel_kind    text NOT NULL CHECK (channel_kind IN ('apprise', 'webhook', 'console')),
    message         jsonb NOT NULL,
    state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed', 'cancelled')),
    attempts        integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL,
    leased_until    timestamptz,
    last_error      text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    sent_at         timestamptz
);
CREATE INDEX outbox_due ON outbox (next_attempt_at) WHERE state = 'pending';
CREATE INDEX outbox_alert ON outbox (alert_id, created_at);
CREATE INDEX outbox_recipient ON outbox (institution_id, recipient, created_at);
SELECT protect_tenant_table('outbox', '{anhu_alerts,anhu_jobs}');
GRANT SELECT, INSERT ON outbox TO anhu_api;
GRANT SELECT, INSERT, UPDATE ON outbox TO anhu_alerts;
GRANT SELECT ON outbox TO anhu_jobs;

-- Vital limits set for one person, with author and reason; defaults apply where there is none.
CREATE TABLE vital_limits (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    metric         smallint NOT NULL REFERENCES metrics (id),
    low            double precision,
    high           double precision,
    low_critical   double precision,
    high_critical  double precision,
    author_id      uuid NOT NULL REFERENCES users (id),
    reason         text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE INDEX vital_limits_resident ON vital_limits (resident_id, metric);
SELECT protect_tenant_table('vital_limits', '{anhu_alerts,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON vital_limits TO anhu_api, anhu_admin;
GRANT SELECT ON vital_limits TO anhu_alerts;

-- A sign of life of each running role, for readiness and the watch over the watchers.
CREATE TABLE heartbeats (
    role     text NOT NULL,
    instance text NOT NULL,
    at       timestamptz NOT NULL,
    detail   jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (role, instance)
);
GRANT SELECT, INSERT, UPDATE ON heartbeats TO anhu_ingest, anhu_alerts, anhu_jobs, anhu_api;
GRANT DELETE ON heartbeats TO anhu_jobs;

-- What `anhu doctor` looks at.
GRANT SELECT ON schema_migrations, heartbeats, feed_head, feed_followers TO anhu_admin, anhu_api;
