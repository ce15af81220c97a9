-- The audit log, sealed: within seconds each batch of rows gets a hash over all of them and over the batch before, in a
-- chain for each institution. A row that is changed, taken away or slipped in later breaks it.

ALTER TABLE audit_log ADD COLUMN purpose text NOT NULL DEFAULT '';
COMMENT ON COLUMN audit_log.purpose IS 'what the data was used for (core.vocabulary.PURPOSES)';

-- One batch. `ids` are its rows (numbers are handed out before commit, so those of two batches may interleave), `marks`
-- the first eight bytes of each row's digest in the order of ids, to say which row was touched. `top` is above them all.
CREATE TABLE audit_seals (
    institution_id uuid REFERENCES institutions (id),
    number         bigint NOT NULL CHECK (number > 0),
    ids            int8multirange NOT NULL,
    top            bigint NOT NULL,
    rows           integer NOT NULL CHECK (rows > 0),
    first_at       timestamptz NOT NULL,
    last_at        timestamptz NOT NULL,
    marks          bytea NOT NULL,
    root           bytea NOT NULL,
    previous       bytea NOT NULL,
    hash           bytea NOT NULL,
    sealed_at      timestamptz NOT NULL,
    dropped_at     timestamptz,
    UNIQUE NULLS NOT DISTINCT (institution_id, number)
);
CREATE INDEX audit_seals_time ON audit_seals (sealed_at, top);
CREATE INDEX audit_seals_age ON audit_seals (last_at) WHERE dropped_at IS NULL;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anhu_auditor') THEN
        CREATE ROLE anhu_auditor NOLOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT pg_has_role(current_user, 'anhu_auditor', 'MEMBER') THEN
        GRANT anhu_auditor TO CURRENT_USER;
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO anhu_auditor;
ALTER TABLE audit_seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_seals FORCE ROW LEVEL SECURITY;
-- Seals name nobody: an account of no institution (a regulator of the region) may see those of every one.
CREATE POLICY tenant ON audit_seals FOR SELECT TO anhu_api
    USING (current_tenant() IS NULL OR institution_id = current_tenant());
CREATE POLICY service_jobs ON audit_seals TO anhu_jobs USING (true) WITH CHECK (true);
CREATE POLICY service_admin ON audit_seals FOR SELECT TO anhu_admin USING (true);
CREATE POLICY service_auditor ON audit_seals FOR SELECT TO anhu_auditor USING (true);
CREATE POLICY service_auditor ON audit_log FOR SELECT TO anhu_auditor USING (true);
GRANT SELECT ON audit_seals TO anhu_api, anhu_admin, anhu_auditor;
GRANT SELECT, INSERT, UPDATE (dropped_at) ON audit_seals TO anhu_jobs;
GRANT SELECT ON audit_log TO anhu_auditor;

-- Everything that a row says, as bytes; each value in its place, so that none can be read as another's.
CREATE FUNCTION audit_digest(r audit_log) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(convert_to(jsonb_build_array(r.id, r.institution_id, extract(epoch FROM r.at), r.user_id, r.username,
    r.role, r.action, r.object_type, r.object_id, r.detail, r.request_id, r.address, r.success, r.purpose)::text, 'UTF8'));

CREATE FUNCTION audit_seal_hash(s audit_seals) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
RETURN sha256(s.previous || s.root || convert_to(jsonb_build_array(s.institution_id, s.number, s.ids::text, s.rows,
    extract(epoch FROM s.first_at), extract(epoch FROM s.last_at), extract(epoch FROM s.sealed_at))::text, 'UTF8'));

-- Seals what is committed and not sealed yet; how many rows. No reader or writer of the log waits for it: it locks only
-- other sealers out. What could still be committed below a number that was sealed `settled` ago is nothing: no
-- transaction lives that long.
CREATE FUNCTION seal_audit(at timestamptz, rows_max integer, settled interval) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    floor_id bigint;
    known int8multirange;
    batch record;
    seal audit_seals;
    total integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('anhu audit seal'));
    SELECT coalesce(max(top), 0) INTO floor_id FROM (
        SELECT s.top FROM audit_seals s WHERE s.sealed_at < seal_audit.at - settled
        ORDER BY s.sealed_at DESC, s.top DESC LIMIT 1000) settled_ones;
    SELECT coalesce(range_agg(s.ids), '{}') INTO known FROM audit_seals s
    WHERE s.sealed_at >= seal_audit.at - settled AND s.top > floor_id;
    FOR batch IN
        SELECT l.institution_id, range_agg(int8range(l.id, l.id, '[]') ORDER BY l.id) AS ids, max(l.id) + 1 AS top,
               count(*)::integer AS rows, min(l.at) AS first_at, max(l.at) AS last_at,
               string_agg(substring(l.digest FROM 1 FOR 8), ''::bytea ORDER BY l.id) AS marks,
               sha256(string_agg(l.digest, ''::bytea ORDER BY l.id)) AS root
        FROM (SELECT a.*, audit_digest(a) AS digest FROM audit_log a
              WHERE a.id >= floor_id AND NOT a.id <@ known ORDER BY a.id LIMIT rows_max) l
        GROUP BY l.institution_id
    LOOP
        SELECT coalesce(max(s.number), 0) + 1 INTO seal.number FROM audit_seals s
        WHERE s.institution_id IS NOT DISTINCT FROM batch.institution_id;
        SELECT s.hash INTO seal.previous FROM audit_seals s
        WHERE s.institution_id IS NOT DISTINCT FROM batch.institution_id AND s.number = seal.number - 1;
        seal.institution_id := batch.institution_id;
        seal.ids := batch.ids;
        seal.top := batch.top;
        seal.rows := batch.rows;
        seal.first_at := batch.first_at;
        seal.last_at := batch.last_at;
        seal.marks := batch.marks;
        seal.root := batch.root;
        seal.previous := coalesce(seal.previous, decode(repeat('00', 32), 'hex'));
        seal.sealed_at := seal_audit.at;
        seal.hash := audit_seal_hash(seal);
        INSERT INTO audit_seals SELECT seal.*;
        total := total + batch.rows;
    END LOOP;
    RETURN total;
END $$;

-- Lets go of rows past their age, whole batches only, and keeps their seals: the chain stays whole. How many rows.
CREATE FUNCTION drop_sealed_audit(before timestamptz, at timestamptz)
RETURNS TABLE (institution_id uuid, rows bigint) LANGUAGE plpgsql AS $$
DECLARE
    seal record;
    gone bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('anhu audit seal'));
    FOR seal IN
        SELECT s.institution_id, s.number, s.ids FROM audit_seals s
        WHERE s.dropped_at IS NULL AND s.last_at < before ORDER BY s.last_at LIMIT 2000
    LOOP
        DELETE FROM audit_log l WHERE l.id >= lower(seal.ids) AND l.id < upper(seal.ids) AND l.id <@ seal.ids
            AND l.institution_id IS NOT DISTINCT FROM seal.institution_id;
        GET DIAGNOSTICS gone = ROW_COUNT;
        UPDATE audit_seals s SET dropped_at = drop_sealed_audit.at
        WHERE s.institution_id IS NOT DISTINCT FROM seal.institution_id AND s.number = seal.number;
        institution_id := seal.institution_id;
        rows := gone;
        RETURN NEXT;
    END LOOP;
END $$;

-- What is wrong with the batches (after, after + batches] of one institution's chain; nothing where all is well.
-- Rows are named by their number only. An account of an institution can ask for that one.
CREATE FUNCTION audit_faults(wanted uuid, after bigint, batches integer, kept interval)
RETURNS TABLE (number bigint, fault text, row_id bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    seal audit_seals;
    expected_number bigint := after;
    expected_previous bytea;
    page_ids int8multirange := '{}';
    neighbours int8multirange;
BEGIN
    IF current_tenant() IS NOT NULL AND wanted IS DISTINCT FROM current_tenant() THEN
        RETURN;
    END IF;
    SELECT s.hash INTO expected_previous FROM audit_seals s
    WHERE s.institution_id IS NOT DISTINCT FROM wanted AND s.number = after;
    expected_previous := coalesce(expected_previous, decode(repeat('00', 32), 'hex'));
    FOR seal IN SELECT * FROM audit_seals s WHERE s.institution_id IS NOT DISTINCT FROM wanted AND s.number > after
                ORDER BY s.number LIMIT batches
    LOOP
        number := seal.number;
        row_id := NULL;
        expected_number := expected_number + 1;
        IF seal.number <> expected_number THEN
            fault := 'batch_missing';
            RETURN NEXT;
            expected_number := seal.number;
        END IF;
        IF seal.previous <> expected_previous THEN
            fault := 'chain_broken';
            RETURN NEXT;
        END IF;
        IF seal.hash <> audit_seal_hash(seal) THEN
            fault := 'seal_changed';
            RETURN NEXT;
        END IF;
        expected_previous := seal.hash;
        page_ids := page_ids + seal.ids;
        IF seal.dropped_at IS NULL THEN
            RETURN QUERY SELECT seal.number, f.fault, f.row_id FROM audit_batch_faults(seal) f;
        ELSIF seal.dropped_at < seal.last_at + kept THEN
            fault := 'dropped_too_early';
            RETURN NEXT;
        END IF;
    END LOOP;
    IF isempty(page_ids) THEN
        RETURN;
    END IF;
    -- Rows that lie between those of the page and that no batch knows were slipped in.
    SELECT range_agg(s.ids) INTO neighbours FROM audit_seals s
    WHERE s.institution_id IS NOT DISTINCT FROM wanted AND s.number > after - 1000
      AND s.number <= expected_number + 1000;
    RETURN QUERY SELECT expected_number, 'row_added'::text, l.id FROM audit_log l
    WHERE l.id >= lower(page_ids) AND l.id < upper(page_ids) AND l.institution_id IS NOT DISTINCT FROM wanted
      AND NOT l.id <@ neighbours
      -- What was committed late waits for the next batch.
      AND l.at < (SELECT max(s.sealed_at) - interval '5 minutes' FROM audit_seals s
                  WHERE s.institution_id IS NOT DISTINCT FROM wanted);
END $$;

-- The rows of one batch against its seal.
CREATE FUNCTION audit_batch_faults(seal audit_seals) RETURNS TABLE (fault text, row_id bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    WITH sealed AS (
        SELECT i.id, row_number() OVER (ORDER BY i.id) AS place
        FROM unnest(seal.ids) AS span (span) CROSS JOIN LATERAL generate_series(lower(span), upper(span) - 1) AS i (id)
    ), found AS (
        SELECT l.id, audit_digest(l) AS digest FROM audit_log l
        WHERE l.id >= lower(seal.ids) AND l.id < upper(seal.ids) AND l.id <@ seal.ids
          AND l.institution_id IS NOT DISTINCT FROM seal.institution_id
    ), named AS (
        SELECT CASE WHEN f.id IS NULL THEN 'row_missing' ELSE 'row_changed' END AS fault, s.id
        FROM sealed s LEFT JOIN found f ON f.id = s.id
        WHERE f.id IS NULL
           OR substring(f.digest FROM 1 FOR 8) <> substring(seal.marks FROM ((s.place - 1) * 8 + 1)::integer FOR 8)
    )
    SELECT n.fault, n.id FROM named n
    UNION ALL
    SELECT 'batch_changed', NULL FROM (SELECT sha256(string_agg(f.digest, ''::bytea ORDER BY f.id)) AS root FROM found f) r
    WHERE r.root IS DISTINCT FROM seal.root AND NOT EXISTS (SELECT FROM named)
$$;
REVOKE ALL ON FUNCTION seal_audit(timestamptz, integer, interval), drop_sealed_audit(timestamptz, timestamptz),
    audit_faults(uuid, bigint, integer, interval), audit_batch_faults(audit_seals) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seal_audit(timestamptz, integer, interval), drop_sealed_audit(timestamptz, timestamptz)
    TO anhu_jobs;
GRANT EXECUTE ON FUNCTION audit_batch_faults(audit_seals) TO anhu_auditor;
GRANT CREATE ON SCHEMA public TO anhu_auditor;
ALTER FUNCTION audit_faults(uuid, bigint, integer, interval) OWNER TO anhu_auditor;
REVOKE CREATE ON SCHEMA public FROM anhu_auditor;
SET LOCAL ROLE anhu_auditor;
GRANT EXECUTE ON FUNCTION audit_faults(uuid, bigint, integer, interval) TO anhu_api, anhu_admin;
RESET ROLE;

-- A regulator of the region names a house by its code.
CREATE FUNCTION institution_of_site(site text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT id FROM institutions WHERE code = site AND (current_tenant() IS NULL OR id = current_tenant())
$$;
REVOKE ALL ON FUNCTION institution_of_site(text) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO anhu_login;
ALTER FUNCTION institution_of_site(text) OWNER TO anhu_login;
REVOKE CREATE ON SCHEMA public FROM anhu_login;
SET LOCAL ROLE anhu_login;
GRANT EXECUTE ON FUNCTION institution_of_site(text) TO anhu_api;
RESET ROLE;
