-- What is let go of when it is past its age, and a report of each day on what went.

CREATE TABLE retention_reports (
    day            date NOT NULL,
    institution_id uuid REFERENCES institutions (id),
    data_class     text NOT NULL CHECK (data_class ~ '^[a-z0-9_]{1,64}$'),
    kept_days      integer NOT NULL,
    -- Nothing older than this is left.
    gone_before    timestamptz NOT NULL,
    deleted        bigint NOT NULL DEFAULT 0,
    unit           text NOT NULL CHECK (unit IN ('rows', 'parts')),
    detail         text[] NOT NULL DEFAULT '{}',
    written_at     timestamptz NOT NULL,
    UNIQUE NULLS NOT DISTINCT (institution_id, day, data_class)
);
CREATE INDEX retention_reports_page ON retention_reports (day DESC, data_class DESC);
ALTER TABLE retention_reports ENABLE ROW LEVEL SECURITY;
ALTER TABLE retention_reports FORCE ROW LEVEL SECURITY;
-- What concerns no single institution (series of devices, technical rows) is everybody's to see.
CREATE POLICY tenant ON retention_reports FOR SELECT TO anhu_api
    USING (institution_id IS NULL OR institution_id = current_tenant());
CREATE POLICY service_jobs ON retention_reports TO anhu_jobs USING (true) WITH CHECK (true);
GRANT SELECT ON retention_reports TO anhu_api;
GRANT SELECT, INSERT, UPDATE ON retention_reports TO anhu_jobs;

CREATE POLICY service_jobs ON page_links FOR SELECT TO anhu_jobs USING (true);
GRANT SELECT ON page_links TO anhu_jobs;
GRANT DELETE ON outbox, alert_suppressions, silences, notices TO anhu_jobs;
CREATE INDEX outbox_age ON outbox (created_at);
CREATE INDEX alert_suppressions_age ON alert_suppressions (at);
CREATE INDEX notices_age ON notices (at);
