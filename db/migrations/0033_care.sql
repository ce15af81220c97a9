-- The care of the day: what plans of a level begin with, which tasks were done, notes of nurses.

CREATE TABLE care_plan_templates (
    institution_id uuid NOT NULL REFERENCES institutions (id),
    care_level     smallint NOT NULL CHECK (care_level BETWEEN 0 AND 4),
    problems       text NOT NULL DEFAULT '' CHECK (length(problems) <= 4000),
    goals          text NOT NULL DEFAULT '' CHECK (length(goals) <= 4000),
    measures       jsonb NOT NULL CHECK (octet_length(measures::text) <= 32768),
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (institution_id, care_level)
);
SELECT protect_tenant_table('care_plan_templates', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON care_plan_templates TO anhu_api, anhu_admin;
GRANT SELECT ON care_plan_templates TO anhu_jobs;

-- One mark for each task of a plan: done, refused by the person, or not possible, by whom. Nobody changes one.
CREATE TABLE care_task_marks (
    institution_id uuid NOT NULL,
    plan_id        uuid NOT NULL,
    edition        integer NOT NULL CHECK (edition >= 1),
    measure        smallint NOT NULL CHECK (measure >= 0),
    due_at         timestamptz NOT NULL,
    resident_id    uuid NOT NULL,
    what           text NOT NULL CHECK (length(what) BETWEEN 1 AND 200),
    result         text NOT NULL CHECK (result IN ('done', 'refused', 'not_possible')),
    note           text NOT NULL DEFAULT '' CHECK (length(note) <= 1000),
    marked_at      timestamptz NOT NULL,
    marked_by      uuid NOT NULL REFERENCES users (id),
    marked_name    text NOT NULL,
    PRIMARY KEY (plan_id, edition, measure, due_at),
    FOREIGN KEY (institution_id, plan_id) REFERENCES service_records (institution_id, id),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE INDEX care_task_marks_day ON care_task_marks (institution_id, due_at);
CREATE INDEX care_task_marks_resident ON care_task_marks (resident_id, due_at);
SELECT protect_tenant_table('care_task_marks', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON care_task_marks TO anhu_api, anhu_admin;
GRANT SELECT ON care_task_marks TO anhu_jobs;

-- Notes of nurses. A correction is a further version beside the first; nothing that was written goes away.
CREATE TABLE nursing_notes (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    first_id       uuid NOT NULL,
    version        integer NOT NULL CHECK (version >= 1),
    observed_at    timestamptz NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('observation', 'care', 'meal', 'medication', 'mood', 'sleep', 'excretion',
                                                 'skin', 'handover', 'other')),
    text           text NOT NULL CHECK (length(text) BETWEEN 1 AND 4000),
    important      boolean NOT NULL DEFAULT false,
    reason         text NOT NULL DEFAULT '' CHECK (length(reason) <= 500),
    written_at     timestamptz NOT NULL,
    author_id      uuid NOT NULL REFERENCES users (id),
    author         text NOT NULL,
    UNIQUE (first_id, version),
    CHECK ((version = 1) = (first_id = id)),
    CHECK (version = 1 OR reason <> ''),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE INDEX nursing_notes_resident ON nursing_notes (resident_id, observed_at DESC, id DESC);
CREATE INDEX nursing_notes_house ON nursing_notes (institution_id, observed_at DESC, id DESC);
SELECT protect_tenant_table('nursing_notes', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON nursing_notes TO anhu_api, anhu_admin;
GRANT SELECT ON nursing_notes TO anhu_jobs;
