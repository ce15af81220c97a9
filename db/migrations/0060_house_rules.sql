-- What a house decides about its money and its beds; orders that are paid with the month's bill; credits.

-- No row: the defaults. All numbers are the house's own, none is a standard.
CREATE TABLE house_rules (
    institution_id    uuid PRIMARY KEY REFERENCES institutions (id),
    -- A bed that nobody comes to is given away after so many days; none: never.
    keep_bed_days     smallint DEFAULT 14 CHECK (keep_bed_days BETWEEN 1 AND 365),
    warn_days         smallint NOT NULL DEFAULT 3 CHECK (warn_days BETWEEN 0 AND 60),
    -- Who is away pays so much less, in per cent, after so many days; none: the same.
    absence_percent   numeric(5, 2) CHECK (absence_percent > 0 AND absence_percent <= 100),
    absence_from_days smallint NOT NULL DEFAULT 0 CHECK (absence_from_days BETWEEN 0 AND 365),
    -- Of these fees; none: of every fee by the day or month.
    absence_items     uuid[] NOT NULL DEFAULT '{}' CHECK (cardinality(absence_items) <= 100),
    version           integer NOT NULL DEFAULT 1,
    updated_at        timestamptz NOT NULL,
    updated_by        uuid NOT NULL REFERENCES users (id)
);
SELECT protect_tenant_table('house_rules', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON house_rules TO anhu_api, anhu_admin;
GRANT SELECT ON house_rules TO anhu_jobs;

-- Which order is on which bill: one order on one. A bill that is drawn up anew or void lets go of its own.
CREATE TABLE billed_orders (
    record_id      uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    bill_id        uuid NOT NULL,
    FOREIGN KEY (institution_id, record_id) REFERENCES service_records (institution_id, id),
    FOREIGN KEY (institution_id, bill_id) REFERENCES service_records (institution_id, id)
);
CREATE INDEX billed_orders_bill ON billed_orders (bill_id);
SELECT protect_tenant_table('billed_orders', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, DELETE ON billed_orders TO anhu_api, anhu_admin;
GRANT SELECT ON billed_orders TO anhu_jobs;
CREATE INDEX service_records_on_bill ON service_records (resident_id) WHERE detail ->> 'on_bill' = 'true';

ALTER TABLE account_entries DROP CONSTRAINT account_entries_cause_check;
ALTER TABLE account_entries ADD CONSTRAINT account_entries_cause_check
    CHECK (cause IN ('bill', 'void', 'payment', 'deposit', 'refund', 'credit'));

-- The jobs free beds that are kept for those who do not come.
GRANT UPDATE ON bed_uses TO anhu_jobs;
CREATE POLICY service_jobs ON resident_away FOR SELECT TO anhu_jobs USING (true);
GRANT SELECT ON resident_away TO anhu_jobs;
