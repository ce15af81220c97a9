-- What people know of a resident that no sensor tells, how far detectors have learned from outcomes, and which
-- findings are held back because they led to nothing.

-- A setting or an observation for the early warning score: who said it, why, since when, until when.
CREATE TABLE resident_clinical (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    kind           text NOT NULL,
    value          text NOT NULL,
    author_id      uuid NOT NULL REFERENCES users (id),
    reason         text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    valid_from     timestamptz NOT NULL,
    valid_to       timestamptz,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    CHECK (valid_to IS NULL OR valid_to >= valid_from),
    CHECK (CASE kind WHEN 'spo2_scale' THEN value IN ('1', '2')
                     WHEN 'oxygen' THEN value IN ('air', 'oxygen')
                     WHEN 'consciousness' THEN value IN ('A', 'C', 'V', 'P', 'U') ELSE false END)
);
CREATE INDEX resident_clinical_resident ON resident_clinical (resident_id, kind, valid_from);
SELECT protect_tenant_table('resident_clinical', '{anhu_alerts,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON resident_clinical TO anhu_api, anhu_admin;
GRANT SELECT ON resident_clinical TO anhu_alerts;

-- How much further from usual things must be for a person before a detector speaks; every change is a row.
CREATE TABLE detector_sensitivity (
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    type           text NOT NULL,
    at             timestamptz NOT NULL,
    factor         double precision NOT NULL CHECK (factor BETWEEN 0.5 AND 2),
    reason         text NOT NULL,
    PRIMARY KEY (resident_id, type, at),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
SELECT protect_tenant_table('detector_sensitivity', '{anhu_alerts,anhu_admin}');
GRANT SELECT ON detector_sensitivity TO anhu_api, anhu_admin;
GRANT SELECT, INSERT ON detector_sensitivity TO anhu_alerts;

-- A kind of alert that led to nothing for a person again and again: held back for a while, each time counted. What is
-- still held when the time is over is `pending`, and opens an alert then.
CREATE TABLE alert_throttles (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    type           text NOT NULL,
    reason         text NOT NULL,
    begun_at       timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    ended_by       uuid REFERENCES users (id),
    held           integer NOT NULL DEFAULT 0,
    last_held_at   timestamptz,
    last_severity  text,
    pending        jsonb,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    CHECK (expires_at > begun_at)
);
CREATE UNIQUE INDEX alert_throttles_one ON alert_throttles (resident_id, type) WHERE ended_at IS NULL;
CREATE INDEX alert_throttles_page ON alert_throttles (institution_id, begun_at);
SELECT protect_tenant_table('alert_throttles', '{anhu_alerts,anhu_jobs}');
GRANT SELECT, UPDATE ON alert_throttles TO anhu_api;
GRANT SELECT, INSERT, UPDATE ON alert_throttles TO anhu_alerts;
GRANT SELECT ON alert_throttles TO anhu_jobs;

-- A limit may begin later than it is written down; it never ends before it begins.
ALTER TABLE vital_limits ADD CONSTRAINT vital_limits_interval CHECK (valid_to IS NULL OR valid_to >= valid_from);
