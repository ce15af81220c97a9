-- Fees of a stay: what was agreed with whom, bills by the month, and the account of each resident.

-- What somebody pays month by month, or a day at a time, or once. An agreed amount goes before the price list.
CREATE TABLE resident_fees (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    item_id        uuid NOT NULL,
    quantity       numeric(8, 2) NOT NULL DEFAULT 1 CHECK (quantity > 0),
    amount         numeric(12, 2) CHECK (amount >= 0),
    valid_from     date NOT NULL,
    valid_until    date CHECK (valid_until >= valid_from),
    created_at     timestamptz NOT NULL,
    UNIQUE (institution_id, id),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    FOREIGN KEY (institution_id, item_id) REFERENCES service_items (institution_id, id)
);
CREATE INDEX resident_fees_resident ON resident_fees (resident_id, valid_from);
CREATE INDEX resident_fees_tenant ON resident_fees (institution_id, resident_id);
SELECT protect_tenant_table('resident_fees', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON resident_fees TO anhu_api, anhu_admin;
GRANT UPDATE (valid_until) ON resident_fees TO anhu_api;
GRANT SELECT ON resident_fees TO anhu_jobs;

-- One bill a person and month; a void one makes room for another.
CREATE UNIQUE INDEX service_records_bill ON service_records (institution_id, resident_id, (detail ->> 'month'))
    WHERE service = 'institution' AND kind = 'bill' AND state <> 'void';

-- The account: owed is above zero, paid below; the sum is the balance. Nobody who serves requests changes or removes a
-- row, and one receipt is booked once.
CREATE TABLE account_entries (
    seq            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    at             timestamptz NOT NULL,
    cause          text NOT NULL CHECK (cause IN ('bill', 'void', 'payment', 'deposit', 'refund')),
    amount         numeric(12, 2) NOT NULL CHECK (amount <> 0),
    record_id      uuid,
    method         text NOT NULL DEFAULT '' CHECK (method IN ('', 'cash', 'card', 'transfer', 'wechat', 'alipay')),
    reference      text NOT NULL DEFAULT '' CHECK (length(reference) <= 100),
    note           text NOT NULL DEFAULT '' CHECK (length(note) <= 500),
    user_id        uuid REFERENCES users (id),
    key            uuid UNIQUE,
    CHECK ((amount > 0) = (cause IN ('bill', 'refund'))),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    FOREIGN KEY (institution_id, record_id) REFERENCES service_records (institution_id, id)
);
CREATE INDEX account_entries_resident ON account_entries (resident_id, seq);
CREATE INDEX account_entries_record ON account_entries (record_id) WHERE record_id IS NOT NULL;
CREATE UNIQUE INDEX account_entries_receipt ON account_entries (institution_id, method, reference)
    WHERE reference <> '';
SELECT protect_tenant_table('account_entries', '{anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON account_entries TO anhu_api, anhu_admin;
GRANT SELECT ON account_entries TO anhu_jobs;
