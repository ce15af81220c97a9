-- Reaching people: plans for parts of a house, the rota, external rescue, receipts, the health of channels.

-- A plan may be for one building. The type decides before the building (db/queries/escalation.sql, plan_for).
ALTER TABLE escalation_plans ADD COLUMN building text NOT NULL DEFAULT '';
ALTER TABLE escalation_plans DROP CONSTRAINT escalation_plans_institution_id_alert_type_key;
ALTER TABLE escalation_plans ADD CONSTRAINT escalation_plans_scope
    UNIQUE NULLS NOT DISTINCT (institution_id, building, alert_type);
GRANT DELETE ON escalation_plans TO anhu_api;

-- What an institution sets about its pages; defaults apply where there is no row.
CREATE TABLE alert_settings (
    institution_id       uuid PRIMARY KEY REFERENCES institutions (id),
    pages_per_minute_max smallint NOT NULL CHECK (pages_per_minute_max BETWEEN 1 AND 60),
    unseen_seconds       smallint NOT NULL CHECK (unseen_seconds BETWEEN 20 AND 900),
    version              integer NOT NULL DEFAULT 1,
    updated_at           timestamptz NOT NULL
);
SELECT protect_tenant_table('alert_settings', '{anhu_alerts}');
GRANT SELECT, INSERT, UPDATE ON alert_settings TO anhu_api;
GRANT SELECT ON alert_settings TO anhu_alerts;

-- The rota. Times are wall time in an IANA zone; `end_day` counts the days from the day of the start to that of the
-- end. `rule` is an RFC 5545 recurrence, empty for one single shift. No floors means all of them. What is removed stays
-- true for the time before.
CREATE TABLE rota_shifts (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    user_id        uuid NOT NULL REFERENCES users (id),
    title          text NOT NULL DEFAULT '',
    starts_on      date NOT NULL,
    start_time     time NOT NULL,
    end_time       time NOT NULL,
    end_day        smallint NOT NULL CHECK (end_day BETWEEN 0 AND 3),
    zone           text NOT NULL,
    rule           text NOT NULL DEFAULT '',
    except_on      date[] NOT NULL DEFAULT '{}',
    building       text NOT NULL DEFAULT '',
    floors         text[] NOT NULL DEFAULT '{}',
    note           text NOT NULL DEFAULT '',
    uid            text NOT NULL,
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    removed_at     timestamptz,
    CHECK (end_day > 0 OR end_time > start_time)
);
CREATE UNIQUE INDEX rota_shifts_uid ON rota_shifts (institution_id, uid) WHERE removed_at IS NULL;
CREATE INDEX rota_shifts_institution ON rota_shifts (institution_id, created_at, id);
SELECT protect_tenant_table('rota_shifts', '{anhu_alerts}');
GRANT SELECT, INSERT, UPDATE ON rota_shifts TO anhu_api;
GRANT SELECT ON rota_shifts TO anhu_alerts;

-- One occurrence of a shift is taken by somebody else. Until they have accepted, the shift stays whose it was.
CREATE TABLE rota_swaps (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    shift_id       uuid NOT NULL REFERENCES rota_shifts (id),
    on_date        date NOT NULL,
    user_id        uuid NOT NULL REFERENCES users (id),
    reason         text NOT NULL DEFAULT '',
    author_id      uuid NOT NULL REFERENCES users (id),
    created_at     timestamptz NOT NULL,
    accepted_at    timestamptz,
    cancelled_at   timestamptz
);
CREATE UNIQUE INDEX rota_swaps_one ON rota_swaps (shift_id, on_date) WHERE cancelled_at IS NULL;
SELECT protect_tenant_table('rota_swaps', '{anhu_alerts}');
GRANT SELECT, INSERT, UPDATE ON rota_swaps TO anhu_api;
GRANT SELECT ON rota_swaps TO anhu_alerts;

CREATE TABLE rota_absences (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    user_id        uuid NOT NULL REFERENCES users (id),
    begins_at      timestamptz NOT NULL,
    ends_at        timestamptz NOT NULL,
    reason         text NOT NULL DEFAULT '',
    author_id      uuid NOT NULL REFERENCES users (id),
    created_at     timestamptz NOT NULL,
    cancelled_at   timestamptz,
    CHECK (ends_at > begins_at)
);
CREATE INDEX rota_absences_time ON rota_absences (institution_id, ends_at) WHERE cancelled_at IS NULL;
SELECT protect_tenant_table('rota_absences', '{anhu_alerts}');
GRANT SELECT, INSERT, UPDATE ON rota_absences TO anhu_api;
GRANT SELECT ON rota_absences TO anhu_alerts;

-- What one shift tells the next.
CREATE TABLE rota_handovers (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    at             timestamptz NOT NULL,
    author_id      uuid NOT NULL REFERENCES users (id),
    building       text NOT NULL DEFAULT '',
    floors         text[] NOT NULL DEFAULT '{}',
    note           text NOT NULL CHECK (length(note) BETWEEN 1 AND 4000)
);
CREATE INDEX rota_handovers_page ON rota_handovers (institution_id, at DESC, id DESC);
SELECT protect_tenant_table('rota_handovers', '{anhu_alerts}');
GRANT SELECT, INSERT ON rota_handovers TO anhu_api;

-- A rescue channel belongs to nobody in the house: it is how an outside rescue service is asked to come.
-- A voice channel reads the page out over the telephone, and comes first where a page was not seen.
ALTER TABLE notification_channels
    ADD COLUMN purpose text NOT NULL DEFAULT 'page' CHECK (purpose IN ('page', 'rescue')),
    ADD COLUMN is_voice boolean NOT NULL DEFAULT false,
    ADD CHECK (purpose = 'page' OR (user_id IS NULL AND contact_id IS NULL AND NOT is_public));

-- How a channel did, by UTC day; the last seven days are its health.
CREATE TABLE channel_days (
    channel_id      uuid NOT NULL REFERENCES notification_channels (id) ON DELETE CASCADE,
    institution_id  uuid NOT NULL REFERENCES institutions (id),
    day             date NOT NULL,
    sent            integer NOT NULL DEFAULT 0,
    failed          integer NOT NULL DEFAULT 0,
    last_success_at timestamptz,
    last_failure_at timestamptz,
    last_error      text NOT NULL DEFAULT '',
    PRIMARY KEY (channel_id, day)
);
SELECT protect_tenant_table('channel_days', '{anhu_alerts}');
GRANT SELECT ON channel_days TO anhu_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON channel_days TO anhu_alerts;

-- `purpose`: a page asks for help; an update tells the family who came; a rescue calls one from outside.
-- `receipt` is what the receiver called the page; `seen_at` when a person read it; `followed_at` when another channel
-- was started because nobody had. `first_attempt_at`: how long it has been tried, which for a page that waited for the
-- end of quiet hours is not its age.
ALTER TABLE outbox
    ADD COLUMN purpose text NOT NULL DEFAULT 'page' CHECK (purpose IN ('page', 'update', 'rescue')),
    ADD COLUMN receipt text NOT NULL DEFAULT '',
    ADD COLUMN seen_at timestamptz,
    ADD COLUMN seen_by text NOT NULL DEFAULT '' CHECK (seen_by IN ('', 'link', 'app', 'receiver')),
    ADD COLUMN followed_at timestamptz,
    ADD COLUMN first_attempt_at timestamptz;
CREATE INDEX outbox_unseen ON outbox (sent_at) WHERE state = 'sent' AND seen_at IS NULL AND followed_at IS NULL
    AND channel_kind <> 'console' AND purpose = 'page';
GRANT UPDATE (seen_at, seen_by) ON outbox TO anhu_api;

-- What helpers from outside need beside the record; conditions, medication and contacts leave the house only with the
-- consent that stands here.
CREATE TABLE rescue_cards (
    resident_id    uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    allergies      text NOT NULL DEFAULT '',
    mobility       text NOT NULL DEFAULT '',
    communication  text NOT NULL DEFAULT '',
    hospital       text NOT NULL DEFAULT '',
    notes          text NOT NULL DEFAULT '',
    consented_by   text NOT NULL DEFAULT '',
    consented_at   timestamptz,
    version        integer NOT NULL DEFAULT 1,
    updated_at     timestamptz NOT NULL,
    updated_by     uuid NOT NULL REFERENCES users (id),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    CHECK ((consented_at IS NULL) = (consented_by = ''))
);
SELECT protect_tenant_table('rescue_cards', '{anhu_alerts}');
GRANT SELECT, INSERT, UPDATE ON rescue_cards TO anhu_api;
GRANT SELECT ON rescue_cards TO anhu_alerts;
