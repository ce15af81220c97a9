-- Families: quiet hours, who is away, links in pages.

-- Quiet hours are wall time in the contact's own zone and hold back only what is not urgent.
ALTER TABLE contacts
    ADD COLUMN quiet_from time,
    ADD COLUMN quiet_to time,
    ADD COLUMN zone text NOT NULL DEFAULT 'Asia/Shanghai',
    ADD COLUMN wants_updates boolean NOT NULL DEFAULT true,
    ADD CHECK ((quiet_from IS NULL) = (quiet_to IS NULL));

-- Contacts change places by way of negative numbers, which no reader ever sees: two of them cannot hold one place.
ALTER TABLE contacts DROP CONSTRAINT contacts_position_check;
ALTER TABLE contacts ADD CONSTRAINT contacts_position_check CHECK (abs(position) BETWEEN 1 AND 20);

-- Away from the house or in hospital, always with an end. At most one at a time for a resident.
CREATE TABLE resident_away (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('away', 'hospital')),
    begins_at      timestamptz NOT NULL,
    until          timestamptz NOT NULL,
    reason         text NOT NULL DEFAULT '',
    author_id      uuid NOT NULL REFERENCES users (id),
    author         text NOT NULL,
    created_at     timestamptz NOT NULL,
    ended_at       timestamptz,
    ended_by       text NOT NULL DEFAULT '',
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    CHECK (until > begins_at)
);
CREATE UNIQUE INDEX resident_away_current ON resident_away (resident_id) WHERE ended_at IS NULL;
SELECT protect_tenant_table('resident_away', '{anhu_alerts}');
GRANT SELECT, INSERT, UPDATE ON resident_away TO anhu_api, anhu_alerts;

GRANT UPDATE (status, version, updated_at) ON residents TO anhu_alerts;

-- What detectors conclude from an empty home is held meanwhile, like what a silence holds back.
ALTER TABLE alert_suppressions ADD COLUMN away_id uuid REFERENCES resident_away (id);
ALTER TABLE alert_suppressions DROP CONSTRAINT alert_suppressions_cause_check;
ALTER TABLE alert_suppressions ADD CONSTRAINT alert_suppressions_cause_check
    CHECK (cause IN ('silence', 'inhibition', 'away'));
ALTER TABLE alert_suppressions DROP CONSTRAINT alert_suppressions_check;
ALTER TABLE alert_suppressions ADD CONSTRAINT alert_suppressions_check
    CHECK (num_nonnulls(silence_id, by_alert_id, away_id) = 1);
CREATE INDEX alert_suppressions_away ON alert_suppressions (away_id) WHERE away_id IS NOT NULL;

-- Links in pages: only a digest is kept. Reading one does nothing; using one acknowledges, once.
CREATE TABLE page_links (
    token_hash     bytea PRIMARY KEY,
    institution_id uuid NOT NULL REFERENCES institutions (id),
    outbox_id      uuid NOT NULL REFERENCES outbox (id),
    alert_id       uuid NOT NULL REFERENCES alerts (id),
    recipient      text NOT NULL,
    recipient_name text NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    used_at        timestamptz
);
CREATE INDEX page_links_expiry ON page_links (expires_at);
SELECT protect_tenant_table('page_links', '{anhu_alerts}');
CREATE POLICY service_login ON page_links FOR SELECT TO anhu_login USING (true);
GRANT SELECT, UPDATE ON page_links TO anhu_api;
GRANT SELECT, INSERT, DELETE ON page_links TO anhu_alerts;
GRANT SELECT ON page_links TO anhu_login;

-- Who follows a link is not signed in: this narrow door says whose house it is, and nothing else.
CREATE FUNCTION institution_of_link(wanted bytea) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT institution_id FROM page_links WHERE token_hash = wanted
$$;
REVOKE ALL ON FUNCTION institution_of_link(bytea) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO anhu_login;
ALTER FUNCTION institution_of_link(bytea) OWNER TO anhu_login;
REVOKE CREATE ON SCHEMA public FROM anhu_login;
SET LOCAL ROLE anhu_login;
GRANT EXECUTE ON FUNCTION institution_of_link(bytea) TO anhu_api;
RESET ROLE;
