-- Goods with their stock, people to be visited, and the time bank.

CREATE TABLE products (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    provider_id    uuid,
    code           text NOT NULL CHECK (code ~ '^[A-Za-z0-9_-]{1,64}$'),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    category       text NOT NULL CHECK (category IN ('food', 'meal', 'medical', 'aid', 'daily', 'other')),
    unit           text NOT NULL DEFAULT '件' CHECK (length(unit) BETWEEN 1 AND 20),
    price          numeric(12, 2) NOT NULL CHECK (price >= 0),
    diets          text[] NOT NULL DEFAULT '{}',
    stock          integer NOT NULL DEFAULT 0 CHECK (stock >= 0),
    active         boolean NOT NULL DEFAULT true,
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    UNIQUE (institution_id, code),
    FOREIGN KEY (institution_id, provider_id) REFERENCES providers (institution_id, id)
);
CREATE INDEX products_page ON products (institution_id, created_at, id);
SELECT protect_tenant_table('products', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON products TO anhu_api, anhu_admin;
GRANT SELECT, UPDATE ON products TO anhu_jobs;

-- Every change of a stock with its cause; their sum is the stock.
CREATE TABLE stock_moves (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid NOT NULL,
    product_id     uuid NOT NULL,
    at             timestamptz NOT NULL,
    quantity       integer NOT NULL CHECK (quantity <> 0),
    cause          text NOT NULL CHECK (cause IN ('delivery', 'count', 'order', 'release', 'return')),
    record_id      uuid,
    user_id        uuid REFERENCES users (id),
    FOREIGN KEY (institution_id, product_id) REFERENCES products (institution_id, id),
    FOREIGN KEY (institution_id, record_id) REFERENCES service_records (institution_id, id)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX stock_moves_product ON stock_moves (product_id, id);
SELECT protect_tenant_table('stock_moves', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON stock_moves TO anhu_api, anhu_admin;
GRANT SELECT, INSERT ON stock_moves TO anhu_jobs;

-- Who is to be visited, why, and how often.
CREATE TABLE visit_targets (
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    groups         text[] NOT NULL CHECK (cardinality(groups) BETWEEN 1 AND 6
                   AND groups <@ '{alone,empty_nest,left_behind,impaired,disabled,bereaved}'),
    every_days     integer NOT NULL CHECK (every_days BETWEEN 1 AND 366),
    since          date NOT NULL,
    until          date CHECK (until >= since),
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (resident_id),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE INDEX visit_targets_tenant ON visit_targets (institution_id, resident_id);
SELECT protect_tenant_table('visit_targets', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE, DELETE ON visit_targets TO anhu_api, anhu_admin;
GRANT SELECT ON visit_targets TO anhu_alerts, anhu_jobs;

-- The time bank: accounts, and entries that move minutes from one to another. `issue` is where credited time comes
-- from (the only one below zero), `spent` where redeemed time goes, `common` the gifts.
CREATE TABLE hour_accounts (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    kind           text NOT NULL CHECK (kind IN ('person', 'group', 'issue', 'spent', 'common')),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    user_id        uuid REFERENCES users (id),
    resident_id    uuid,
    minutes        bigint NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    CHECK (minutes >= 0 OR kind = 'issue')
);
CREATE UNIQUE INDEX hour_accounts_single ON hour_accounts (institution_id, kind)
    WHERE kind IN ('issue', 'spent', 'common');
CREATE INDEX hour_accounts_page ON hour_accounts (institution_id, created_at, id);
SELECT protect_tenant_table('hour_accounts', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT, UPDATE ON hour_accounts TO anhu_api, anhu_admin;
GRANT SELECT ON hour_accounts TO anhu_jobs;

CREATE TABLE hour_entries (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid NOT NULL,
    at             timestamptz NOT NULL,
    from_account   uuid NOT NULL,
    to_account     uuid NOT NULL CHECK (to_account <> from_account),
    minutes        integer NOT NULL CHECK (minutes BETWEEN 1 AND 600000),
    cause          text NOT NULL CHECK (cause IN ('credit', 'excess', 'transfer', 'donate', 'redeem', 'void')),
    record_id      uuid,
    user_id        uuid REFERENCES users (id),
    FOREIGN KEY (institution_id, from_account) REFERENCES hour_accounts (institution_id, id),
    FOREIGN KEY (institution_id, to_account) REFERENCES hour_accounts (institution_id, id),
    FOREIGN KEY (institution_id, record_id) REFERENCES service_records (institution_id, id)
);
CREATE INDEX hour_entries_from ON hour_entries (from_account, seq);
CREATE INDEX hour_entries_to ON hour_entries (to_account, seq);
SELECT protect_tenant_table('hour_entries', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON hour_entries TO anhu_api, anhu_admin;
GRANT SELECT ON hour_entries TO anhu_jobs;

-- The platform's own hand: records that time has overtaken, and incidents that follow their alerts.
CREATE UNIQUE INDEX service_records_incident ON service_records (institution_id, (detail ->> 'alert_id'))
    WHERE service = 'rescue' AND kind = 'incident';
