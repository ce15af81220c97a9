-- What services cost and who pays: items, prices with a term, groups of households, subsidy rules, what each rule paid.

CREATE TABLE service_items (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    -- A service's code, or `institution` for the fees of the house.
    service        text NOT NULL CHECK (service ~ '^[a-z-]{1,32}$'),
    code           text NOT NULL CHECK (code ~ '^[A-Za-z0-9_-]{1,64}$'),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    unit           text NOT NULL CHECK (unit IN ('time', 'hour', 'day', 'month')),
    active         boolean NOT NULL DEFAULT true,
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    UNIQUE (institution_id, service, code)
);
CREATE INDEX service_items_page ON service_items (institution_id, created_at, id);
SELECT protect_tenant_table('service_items', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON service_items TO anhu_api, anhu_admin;
GRANT SELECT ON service_items TO anhu_jobs;

-- The price on a day is the one that began last; a provider's own goes before the house's. Prices are never changed,
-- only followed by newer ones or ended.
CREATE TABLE item_prices (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    item_id        uuid NOT NULL,
    provider_id    uuid,
    amount         numeric(12, 2) NOT NULL CHECK (amount >= 0),
    valid_from     date NOT NULL,
    valid_until    date CHECK (valid_until >= valid_from),
    created_at     timestamptz NOT NULL,
    created_by     uuid REFERENCES users (id),
    UNIQUE NULLS NOT DISTINCT (item_id, provider_id, valid_from),
    FOREIGN KEY (institution_id, item_id) REFERENCES service_items (institution_id, id),
    FOREIGN KEY (institution_id, provider_id) REFERENCES providers (institution_id, id)
);
CREATE INDEX item_prices_tenant ON item_prices (institution_id, item_id);
SELECT protect_tenant_table('item_prices', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON item_prices TO anhu_api, anhu_admin;
GRANT UPDATE (valid_until) ON item_prices TO anhu_api;
GRANT SELECT ON item_prices TO anhu_jobs;

-- To which groups a resident belongs, on what proof: sensitive, seen by staff alone.
CREATE TABLE resident_groups (
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    code           text NOT NULL CHECK (code IN ('destitute', 'low_income', 'low_income_margin', 'disabled', 'bereaved',
                                                 'veteran', 'very_old', 'other')),
    valid_from     date NOT NULL,
    valid_until    date CHECK (valid_until >= valid_from),
    proof          text NOT NULL CHECK (length(proof) BETWEEN 1 AND 200),
    recorded_by    uuid REFERENCES users (id),
    recorded_at    timestamptz NOT NULL,
    PRIMARY KEY (resident_id, code),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE INDEX resident_groups_tenant ON resident_groups (institution_id, resident_id);
SELECT protect_tenant_table('resident_groups', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE, DELETE ON resident_groups TO anhu_api, anhu_admin;
GRANT SELECT ON resident_groups TO anhu_jobs;

-- Who gets how much of what from the public side, by which document. Empty lists mean anybody.
CREATE TABLE subsidy_rules (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    source         text NOT NULL CHECK (length(source) BETWEEN 1 AND 200),
    service        text CHECK (service ~ '^[a-z-]{1,32}$'),
    item_id        uuid,
    care_levels    smallint[] NOT NULL DEFAULT '{}' CHECK (care_levels <@ '{0,1,2,3,4}'),
    groups         text[] NOT NULL DEFAULT '{}',
    percent        numeric(5, 2) CHECK (percent > 0 AND percent <= 100),
    amount         numeric(12, 2) CHECK (amount > 0),
    ceiling_month  numeric(12, 2) CHECK (ceiling_month > 0),
    priority       smallint NOT NULL DEFAULT 100 CHECK (priority BETWEEN 1 AND 1000),
    valid_from     date NOT NULL,
    valid_until    date CHECK (valid_until >= valid_from),
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    CHECK ((percent IS NULL) <> (amount IS NULL)),
    FOREIGN KEY (institution_id, item_id) REFERENCES service_items (institution_id, id)
);
CREATE INDEX subsidy_rules_page ON subsidy_rules (institution_id, created_at, id);
SELECT protect_tenant_table('subsidy_rules', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON subsidy_rules TO anhu_api, anhu_admin;
GRANT SELECT ON subsidy_rules TO anhu_jobs;

-- What a rule paid for a record, in which month: ceilings are counted from here.
CREATE TABLE subsidy_uses (
    institution_id uuid NOT NULL,
    record_id      uuid NOT NULL,
    rule_id        uuid NOT NULL,
    resident_id    uuid NOT NULL,
    month          date NOT NULL CHECK (extract(day FROM month) = 1),
    amount         numeric(12, 2) NOT NULL CHECK (amount > 0),
    at             timestamptz NOT NULL,
    PRIMARY KEY (record_id, rule_id),
    FOREIGN KEY (institution_id, record_id) REFERENCES service_records (institution_id, id),
    FOREIGN KEY (institution_id, rule_id) REFERENCES subsidy_rules (institution_id, id),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE INDEX subsidy_uses_month ON subsidy_uses (resident_id, rule_id, month);
CREATE INDEX subsidy_uses_tenant ON subsidy_uses (institution_id, month);
SELECT protect_tenant_table('subsidy_uses', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON subsidy_uses TO anhu_api, anhu_admin;
GRANT SELECT ON subsidy_uses TO anhu_jobs;
