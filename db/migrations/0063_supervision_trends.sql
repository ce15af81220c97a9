-- The facilities of each month as they were, beside the month's counts: with both, every row of the plan that the platform
-- counts can be worked out again for a month that is over, by its own formula.
CREATE TABLE supervision_month_facilities (
    month          date NOT NULL CHECK (extract(day FROM month) = 1),
    institution_id uuid NOT NULL REFERENCES institutions (id),
    facilities     jsonb NOT NULL CHECK (jsonb_typeof(facilities) = 'array'),
    written_at     timestamptz NOT NULL,
    PRIMARY KEY (month, institution_id)
);
ALTER TABLE supervision_month_facilities ENABLE ROW LEVEL SECURITY;
ALTER TABLE supervision_month_facilities FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON supervision_month_facilities FOR SELECT
    USING (current_tenant() IS NULL OR institution_id = current_tenant());
CREATE POLICY service_jobs ON supervision_month_facilities TO anhu_jobs USING (true) WITH CHECK (true);
GRANT SELECT ON supervision_month_facilities TO anhu_api;
GRANT SELECT, INSERT, UPDATE ON supervision_month_facilities TO anhu_jobs;
