-- The house itself: rooms and beds with who uses them, training and yearly filing of staff, licences, warnings of
-- expiry.

CREATE TABLE rooms (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    -- The facility that a regulator counts it to; NULL: the house's only one.
    facility_id    uuid,
    building       text NOT NULL DEFAULT '' CHECK (length(building) <= 100),
    floor          text NOT NULL DEFAULT '' CHECK (length(floor) <= 100),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    note           text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    UNIQUE (institution_id, building, floor, name),
    FOREIGN KEY (institution_id, facility_id) REFERENCES service_records (institution_id, id)
);
CREATE INDEX rooms_page ON rooms (institution_id, created_at, id);
SELECT protect_tenant_table('rooms', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON rooms TO anhu_api, anhu_admin;
GRANT SELECT ON rooms TO anhu_jobs;

-- A bed at home (家庭照护床位) stands in no room of the house. `key` is there for the interval constraint below.
CREATE TABLE beds (
    id             uuid PRIMARY KEY,
    key            integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    room_id        uuid,
    label          text NOT NULL CHECK (length(label) BETWEEN 1 AND 100),
    type           text NOT NULL CHECK (type IN ('total_care', 'nursing', 'ordinary', 'home')),
    closed_at      timestamptz,
    closed_reason  text NOT NULL DEFAULT '' CHECK (length(closed_reason) <= 500),
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    UNIQUE (id, key),
    UNIQUE NULLS NOT DISTINCT (institution_id, room_id, label),
    CHECK ((room_id IS NULL) = (type = 'home')),
    FOREIGN KEY (institution_id, room_id) REFERENCES rooms (institution_id, id)
);
CREATE INDEX beds_page ON beds (institution_id, created_at, id);
CREATE INDEX beds_room ON beds (room_id);
SELECT protect_tenant_table('beds', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON beds TO anhu_api, anhu_admin;
GRANT SELECT ON beds TO anhu_jobs;

-- Who has a bed from when to when, for which stay. Two people never have one bed at a time, nobody has two beds.
CREATE TABLE bed_uses (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    bed_id         uuid NOT NULL,
    bed_key        integer NOT NULL,
    resident_id    uuid NOT NULL,
    record_id      uuid NOT NULL,
    reserved       boolean NOT NULL,
    used_from      timestamptz NOT NULL,
    used_to        timestamptz CHECK (used_to >= used_from),
    FOREIGN KEY (institution_id, bed_id) REFERENCES beds (institution_id, id),
    FOREIGN KEY (bed_id, bed_key) REFERENCES beds (id, key),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    FOREIGN KEY (institution_id, record_id) REFERENCES service_records (institution_id, id),
    CONSTRAINT bed_uses_no_overlap EXCLUDE USING gist (
        int4range(bed_key, bed_key, '[]') WITH &&, tstzrange(used_from, used_to) WITH &&)
);
CREATE UNIQUE INDEX bed_uses_one_bed ON bed_uses (resident_id) WHERE used_to IS NULL;
CREATE INDEX bed_uses_bed ON bed_uses (bed_id, used_from);
CREATE INDEX bed_uses_resident ON bed_uses (resident_id, used_from);
CREATE INDEX bed_uses_record ON bed_uses (record_id);
CREATE INDEX bed_uses_tenant ON bed_uses (institution_id, used_from);
SELECT protect_tenant_table('bed_uses', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON bed_uses TO anhu_api, anhu_admin;
GRANT SELECT ON bed_uses TO anhu_jobs;

-- One running stay for a resident.
CREATE UNIQUE INDEX service_records_stay ON service_records (institution_id, resident_id)
    WHERE service = 'institution' AND kind = 'stay' AND NOT final;

-- People who work here: their post, since when, and what sort of paper a certificate is.
ALTER TABLE workers
    ADD COLUMN post text NOT NULL DEFAULT 'other' CHECK (post IN ('manager', 'caregiver', 'nurse', 'doctor',
        'rehabilitation', 'social_worker', 'cook', 'safety', 'logistics', 'other')),
    ADD COLUMN hired_on date,
    ADD COLUMN left_on date CHECK (left_on >= hired_on);
UPDATE workers SET post = 'social_worker' WHERE '社工' = ANY (duties);
ALTER TABLE worker_certificates
    ADD COLUMN category text NOT NULL DEFAULT 'certificate'
        CHECK (category IN ('certificate', 'work_licence', 'health'));

-- Trainings of staff and who was there, with hours.
CREATE TABLE staff_trainings (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    title          text NOT NULL CHECK (length(title) BETWEEN 1 AND 100),
    topic          text NOT NULL CHECK (topic IN ('management', 'care', 'standards', 'risk', 'fire', 'first_aid',
                                                  'other')),
    trainer        text NOT NULL DEFAULT '' CHECK (length(trainer) <= 100),
    held_on        date NOT NULL,
    hours          numeric(5, 1) NOT NULL CHECK (hours > 0),
    created_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id)
);
CREATE INDEX staff_trainings_page ON staff_trainings (institution_id, held_on DESC, id DESC);
SELECT protect_tenant_table('staff_trainings', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON staff_trainings TO anhu_api, anhu_admin;
GRANT SELECT ON staff_trainings TO anhu_jobs;

CREATE TABLE staff_training_people (
    institution_id uuid NOT NULL,
    training_id    uuid NOT NULL,
    worker_id      uuid NOT NULL,
    passed         boolean NOT NULL,
    added_at       timestamptz NOT NULL,
    PRIMARY KEY (training_id, worker_id),
    FOREIGN KEY (institution_id, training_id) REFERENCES staff_trainings (institution_id, id),
    FOREIGN KEY (institution_id, worker_id) REFERENCES workers (institution_id, id)
);
CREATE INDEX staff_training_people_worker ON staff_training_people (worker_id);
SELECT protect_tenant_table('staff_training_people', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON staff_training_people TO anhu_api, anhu_admin;
GRANT SELECT ON staff_training_people TO anhu_jobs;

-- The yearly filing of every worker with the authority (从业人员年度备案).
CREATE TABLE staff_filings (
    institution_id uuid NOT NULL,
    worker_id      uuid NOT NULL,
    year           smallint NOT NULL CHECK (year BETWEEN 2020 AND 2100),
    filed_on       date NOT NULL,
    number         text NOT NULL DEFAULT '' CHECK (length(number) <= 100),
    PRIMARY KEY (worker_id, year),
    FOREIGN KEY (institution_id, worker_id) REFERENCES workers (institution_id, id)
);
SELECT protect_tenant_table('staff_filings', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON staff_filings TO anhu_api, anhu_admin;
GRANT SELECT ON staff_filings TO anhu_jobs;

-- Licences of the institution; the newest of a kind is the one that counts. `care` and `medical` are 两证.
CREATE TABLE institution_licences (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    kind           text NOT NULL CHECK (kind IN ('care', 'medical', 'food', 'fire', 'business', 'other')),
    number         text NOT NULL CHECK (length(number) BETWEEN 1 AND 100),
    issued_by      text NOT NULL DEFAULT '' CHECK (length(issued_by) <= 100),
    valid_from     date NOT NULL,
    valid_until    date CHECK (valid_until >= valid_from),
    revoked_at     timestamptz,
    created_at     timestamptz NOT NULL,
    UNIQUE (institution_id, kind, number)
);
CREATE INDEX institution_licences_kind ON institution_licences (institution_id, kind, valid_from DESC);
SELECT protect_tenant_table('institution_licences', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON institution_licences TO anhu_api, anhu_admin;
GRANT SELECT ON institution_licences TO anhu_jobs;

-- Everything that runs out: licences, papers of those who work, licences of providers, agreements of stays.
CREATE VIEW expiring_things WITH (security_invoker = true, security_barrier = true) AS
    SELECT l.institution_id, 'licence' AS kind, l.id, l.kind || ' ' || l.number AS title, l.valid_until
    FROM institution_licences l
    WHERE l.revoked_at IS NULL AND l.valid_until IS NOT NULL AND NOT EXISTS (SELECT FROM institution_licences n
          WHERE n.institution_id = l.institution_id AND n.kind = l.kind AND n.revoked_at IS NULL AND n.id <> l.id
          AND (n.valid_until IS NULL OR n.valid_until > l.valid_until))
    UNION ALL
    SELECT c.institution_id, c.category, c.id, w.name || ' ' || c.kind, c.valid_until
    FROM worker_certificates c JOIN workers w ON w.id = c.worker_id AND w.active
    WHERE c.valid_until IS NOT NULL AND NOT EXISTS (SELECT FROM worker_certificates n
          WHERE n.worker_id = c.worker_id AND n.kind = c.kind AND n.id <> c.id
          AND (n.valid_until IS NULL OR n.valid_until > c.valid_until))
    UNION ALL
    SELECT p.institution_id, 'provider', p.id, p.name || ' ' || p.licence, p.licence_until
    FROM providers p WHERE p.blocked_at IS NULL AND p.licence_until IS NOT NULL
    UNION ALL
    SELECT r.institution_id, 'agreement', r.id, r.title, (r.detail ->> 'agreed_until')::date
    FROM service_records r
    WHERE r.service = 'institution' AND r.kind = 'stay' AND NOT r.final AND r.detail ->> 'agreed_until' IS NOT NULL;
GRANT SELECT ON expiring_things TO anhu_api, anhu_jobs;

-- Which warnings were given: one for each thing, end and distance.
CREATE TABLE expiry_warnings (
    institution_id uuid NOT NULL REFERENCES institutions (id),
    kind           text NOT NULL,
    thing_id       uuid NOT NULL,
    valid_until    date NOT NULL,
    days           smallint NOT NULL,
    warned_at      timestamptz NOT NULL,
    PRIMARY KEY (thing_id, valid_until, days)
);
CREATE INDEX expiry_warnings_tenant ON expiry_warnings (institution_id, warned_at);
SELECT protect_tenant_table('expiry_warnings', '{anhu_jobs}');
GRANT SELECT, INSERT ON expiry_warnings TO anhu_jobs;
