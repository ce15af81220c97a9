-- Rights of the person: who stands up for a resident, what was asked and answered, restriction, correction with history.

-- Whether a resident can decide, and what they arranged for after their death.
CREATE TABLE resident_legal (
    resident_id    uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    capacity       text NOT NULL DEFAULT 'full' CHECK (capacity IN ('full', 'limited', 'none')),
    ground         text NOT NULL DEFAULT '' CHECK (length(ground) <= 500),
    after_death    text NOT NULL DEFAULT 'relatives' CHECK (after_death IN ('relatives', 'named', 'nobody')),
    wishes         text NOT NULL DEFAULT '' CHECK (length(wishes) <= 4000),
    version        integer NOT NULL DEFAULT 1,
    updated_at     timestamptz NOT NULL,
    updated_by     uuid NOT NULL REFERENCES users (id),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
SELECT protect_tenant_table('resident_legal', '{anhu_jobs}');
GRANT SELECT, INSERT, UPDATE ON resident_legal TO anhu_api;
GRANT SELECT ON resident_legal TO anhu_jobs;

-- Who acts for a resident: a guardian by law or by agreement, an agent with a mandate, after death a close relative.
CREATE TABLE resident_guardians (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('statutory', 'agreed', 'agent', 'relative')),
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    relation       text NOT NULL DEFAULT '' CHECK (length(relation) <= 100),
    phone          text NOT NULL DEFAULT '' CHECK (length(phone) <= 32),
    user_id        uuid REFERENCES users (id),
    -- The paper on which it rests: a court's decision, a notarised agreement, a proof of kinship.
    ground         text NOT NULL CHECK (length(ground) BETWEEN 1 AND 500),
    powers         text[] NOT NULL CHECK (cardinality(powers) > 0 AND powers <@ '{consent_alerts,consent_health,
                       consent_location,consent_activity,access,correction,restriction,erasure}'),
    valid_from     date NOT NULL,
    valid_until    date CHECK (valid_until >= valid_from),
    ended_at       timestamptz,
    verified_by    uuid NOT NULL REFERENCES users (id),
    created_at     timestamptz NOT NULL,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE INDEX resident_guardians_resident ON resident_guardians (resident_id, created_at);
CREATE INDEX resident_guardians_user ON resident_guardians (user_id) WHERE user_id IS NOT NULL AND ended_at IS NULL;
SELECT protect_tenant_table('resident_guardians', '{anhu_jobs}');
GRANT SELECT, INSERT, UPDATE ON resident_guardians TO anhu_api;
GRANT SELECT ON resident_guardians TO anhu_jobs;
ALTER TABLE consents ADD COLUMN guardian_id uuid REFERENCES resident_guardians (id);

-- What was asked, by whom, and how it was answered. An erasure runs as a job: `running`, then `done`, or `waiting` for
-- the end of the time for which the law keeps the rest.
CREATE TABLE rights_requests (
    id             uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('access', 'correction', 'restriction', 'erasure')),
    state          text NOT NULL DEFAULT 'open'
                   CHECK (state IN ('open', 'refused', 'granted', 'running', 'waiting', 'done')),
    requested_by   text NOT NULL CHECK (length(requested_by) BETWEEN 1 AND 100),
    guardian_id    uuid REFERENCES resident_guardians (id),
    user_id        uuid NOT NULL REFERENCES users (id),
    reason         text NOT NULL DEFAULT '' CHECK (length(reason) <= 4000),
    changes        jsonb NOT NULL DEFAULT '{}',
    received_at    timestamptz NOT NULL,
    due_at         timestamptz NOT NULL,
    decided_at     timestamptz,
    decided_by     uuid REFERENCES users (id),
    decision       text NOT NULL DEFAULT '' CHECK (length(decision) <= 4000),
    keep_until     timestamptz,
    done_at        timestamptz,
    receipt        jsonb,
    receipt_hash   bytea,
    UNIQUE (institution_id, id),
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE INDEX rights_requests_resident ON rights_requests (resident_id, received_at DESC, id DESC);
CREATE INDEX rights_requests_jobs ON rights_requests (keep_until) WHERE state IN ('running', 'waiting');
SELECT protect_tenant_table('rights_requests', '{anhu_jobs}');
GRANT SELECT, INSERT, UPDATE ON rights_requests TO anhu_api;
GRANT SELECT, UPDATE ON rights_requests TO anhu_jobs;

-- `data`: what was measured and noted is closed, alerts go on. `all`: the person is closed altogether, which is for
-- those who have left. A row that is taken away was lifted; the request and the audit log remember it.
CREATE TABLE resident_restrictions (
    resident_id    uuid PRIMARY KEY,
    institution_id uuid NOT NULL,
    level          text NOT NULL CHECK (level IN ('data', 'all')),
    request_id     uuid NOT NULL,
    since          timestamptz NOT NULL,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id),
    FOREIGN KEY (institution_id, request_id) REFERENCES rights_requests (institution_id, id)
);
SELECT protect_tenant_table('resident_restrictions', '{anhu_jobs}');
GRANT SELECT, INSERT, UPDATE, DELETE ON resident_restrictions TO anhu_api;
GRANT SELECT ON resident_restrictions TO anhu_jobs;

-- Every change of a resident's record, whoever makes it and by whatever way.
CREATE TABLE resident_changes (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    institution_id uuid NOT NULL,
    resident_id    uuid NOT NULL,
    at             timestamptz NOT NULL,
    user_id        uuid,
    version        integer NOT NULL,
    fields         jsonb NOT NULL,
    FOREIGN KEY (institution_id, resident_id) REFERENCES residents (institution_id, id)
);
CREATE INDEX resident_changes_resident ON resident_changes (resident_id, id DESC);
SELECT protect_tenant_table('resident_changes', '{anhu_alerts,anhu_jobs,anhu_admin}');
GRANT SELECT, INSERT ON resident_changes TO anhu_api;
GRANT INSERT ON resident_changes TO anhu_alerts, anhu_jobs, anhu_admin;
CREATE FUNCTION remember_resident_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb;
BEGIN
    SELECT jsonb_object_agg(b.key, jsonb_build_object('from', b.value, 'to', a.value)) INTO changed
    FROM jsonb_each(to_jsonb(OLD)) b JOIN jsonb_each(to_jsonb(NEW)) a ON a.key = b.key
    WHERE a.value <> b.value AND b.key NOT IN ('version', 'updated_at');
    IF changed IS NOT NULL AND current_user <> 'anhu_eraser' THEN
        INSERT INTO resident_changes (institution_id, resident_id, at, user_id, version, fields)
        VALUES (NEW.institution_id, NEW.id, NEW.updated_at, nullif(current_setting('anhu.actor', true), '')::uuid,
                NEW.version, changed);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER residents_remembered AFTER UPDATE ON residents
    FOR EACH ROW EXECUTE FUNCTION remember_resident_change();

-- The desk that answers such requests sees what is restricted; db/tenant.py opens it for one transaction.
CREATE FUNCTION at_rights_desk() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(current_setting('anhu.rights', true) = 'open', false);

-- Restriction in the database itself, so that it holds at once on every way of reading there is or will be.
DO $$
DECLARE
    target record;
    person text;
BEGIN
    FOR target IN
        SELECT c.relname AS name FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
          AND (c.relname = 'residents' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid
               AND a.attname = 'resident_id' AND NOT a.attisdropped))
          AND c.relname NOT IN ('resident_legal', 'resident_guardians', 'rights_requests', 'resident_restrictions',
                                'silences')
    LOOP
        person := CASE target.name WHEN 'residents' THEN 'id' ELSE 'resident_id' END;
        EXECUTE format('CREATE POLICY restriction ON %I AS RESTRICTIVE FOR SELECT TO anhu_api
            USING (%I.%I IS NULL OR at_rights_desk() OR NOT EXISTS (SELECT FROM resident_restrictions x
                   WHERE x.resident_id = %I.%I %s))', target.name, target.name, person, target.name, person,
            -- Who lives here is still answered when they call: only what was measured and noted is closed then.
            CASE WHEN target.name IN ('residents', 'alerts', 'alert_suppressions', 'contacts', 'consents', 'bindings',
                                      'rescue_cards', 'resident_away', 'hour_accounts', 'bed_uses', 'resident_groups',
                                      'subsidy_uses', 'visit_targets', 'resident_fees', 'account_entries',
                                      'care_task_marks', 'nursing_notes')
                 THEN 'AND x.level = ''all'''
                 WHEN target.name = 'service_records'
                 THEN 'AND (x.level = ''all'' OR service_records.service IN (''health'', ''medical'', ''assessment''))'
                 ELSE '' END);
    END LOOP;
END $$;

-- Every table that holds something of a person under their id, and its rows about one: the export takes what there is,
-- also of tables that are added later. With the caller's own rights and row security.
CREATE FUNCTION person_tables() RETURNS TABLE (name text) LANGUAGE sql STABLE AS $$
    SELECT c.relname::text FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition
      AND has_table_privilege(c.oid, 'SELECT')
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'resident_id'
                  AND NOT a.attisdropped)
    ORDER BY 1
$$;
CREATE FUNCTION person_rows(wanted text, person uuid) RETURNS SETOF jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM person_tables() t WHERE t.name = wanted) THEN
        RAISE EXCEPTION 'no table of persons: %', wanted;
    END IF;
    RETURN QUERY EXECUTE format('SELECT to_jsonb(t) - ''institution_id'' FROM %I t WHERE t.resident_id = $1', wanted)
        USING person;
END $$;

-- The one who erases: a role that only this function has, only the jobs may call, and that can do nothing else.
DO $$
DECLARE
    target regclass;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'anhu_eraser') THEN
        CREATE ROLE anhu_eraser NOLOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    IF NOT pg_has_role(current_user, 'anhu_eraser', 'MEMBER') THEN
        GRANT anhu_eraser TO CURRENT_USER;
    END IF;
    GRANT USAGE ON SCHEMA public TO anhu_eraser;
    FOREACH target IN ARRAY ARRAY['residents', 'contacts', 'consents', 'bindings', 'events', 'alerts', 'alert_entries',
        'outbox', 'page_links', 'notices', 'rescue_cards', 'resident_away', 'alert_suppressions', 'alert_throttles',
        'silences', 'geofences', 'detector_sensitivity', 'vital_limits', 'resident_clinical', 'visit_targets',
        'service_records', 'service_events', 'hour_accounts', 'resident_changes', 'resident_legal',
        'resident_guardians', 'rights_requests', 'resident_groups', 'care_task_marks',
        'nursing_notes', 'account_entries']::regclass[] LOOP
        EXECUTE format('CREATE POLICY service_eraser ON %s TO anhu_eraser USING (true) WITH CHECK (true)', target);
        EXECUTE format('GRANT SELECT, UPDATE, DELETE ON %s TO anhu_eraser', target);
    END LOOP;
    GRANT SELECT, DELETE ON latest TO anhu_eraser;
END $$;

-- Lets go of a person. First what no law asks to keep: what was measured, where they were, whom to call, texts that went
-- out and links to them. With `everything` also the record of care itself: rows stay, for counts and accounts, and say
-- nothing of anybody. What was done to which table, and to how many rows.
CREATE FUNCTION erase_person(person uuid, everything boolean)
RETURNS TABLE (what text, action text, touched bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    one record;
BEGIN
    action := 'deleted';
    what := 'readings';
    touched := 0;
    FOR one IN SELECT b.device_key, b.bound_from, coalesce(b.bound_to, 'infinity') AS bound_to
               FROM bindings b WHERE b.resident_id = person LOOP
        touched := touched + erase_series(one.device_key, one.bound_from, one.bound_to);
        DELETE FROM latest l WHERE l.device_key = one.device_key AND l.time >= one.bound_from AND l.time < one.bound_to;
    END LOOP;
    RETURN NEXT;
    what := 'events';
    DELETE FROM events e USING bindings b WHERE b.resident_id = person AND e.device_key = b.device_key
        AND e.time >= b.bound_from AND e.time < coalesce(b.bound_to, 'infinity');
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'page_links';
    DELETE FROM page_links l USING alerts a WHERE a.resident_id = person AND l.alert_id = a.id;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'notices';
    DELETE FROM notices n USING service_records r WHERE r.resident_id = person AND n.record_id = r.id;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'alert_suppressions';
    DELETE FROM alert_suppressions s WHERE s.resident_id = person
        OR s.away_id IN (SELECT w.id FROM resident_away w WHERE w.resident_id = person);
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    FOREACH what IN ARRAY ARRAY['contacts', 'rescue_cards', 'geofences', 'resident_away', 'alert_throttles',
                                'detector_sensitivity', 'visit_targets'] LOOP
        EXECUTE format('DELETE FROM %I WHERE resident_id = $1', what) USING person;
        GET DIAGNOSTICS touched = ROW_COUNT;
        RETURN NEXT;
    END LOOP;
    action := 'emptied';
    what := 'outbox';
    UPDATE outbox o SET message = '{}', receipt = '', last_error = '',
        recipient_name = CASE WHEN o.recipient LIKE 'contact:%' THEN '' ELSE o.recipient_name END
    FROM alerts a WHERE a.resident_id = person AND o.alert_id = a.id;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    IF everything THEN
        RETURN QUERY SELECT * FROM erase_record(person);
    END IF;
END $$;

-- The record of care, once no law asks to keep it.
CREATE FUNCTION erase_record(person uuid) RETURNS TABLE (what text, action text, touched bigint)
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    action := 'deleted';
    FOREACH what IN ARRAY ARRAY['vital_limits', 'resident_clinical', 'consents', 'bindings', 'resident_changes',
                                'resident_legal', 'resident_groups', 'care_task_marks', 'nursing_notes'] LOOP
        EXECUTE format('DELETE FROM %I WHERE resident_id = $1', what) USING person;
        GET DIAGNOSTICS touched = ROW_COUNT;
        RETURN NEXT;
    END LOOP;
    action := 'emptied';
    what := 'alert_entries';
    UPDATE alert_entries e SET note = '', data = '{}', actor = CASE WHEN e.actor_id IS NULL THEN '' ELSE e.actor END
    FROM alerts a WHERE a.resident_id = person AND e.alert_id = a.id;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'alerts';
    UPDATE alerts a SET evidence = '{}', place = '' WHERE a.resident_id = person;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'service_events';
    UPDATE service_events e SET detail = '{}', actor = CASE WHEN e.role = 'family' THEN '' ELSE e.actor END
    FROM service_records r WHERE r.resident_id = person AND e.record_id = r.id;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'service_records';
    UPDATE service_records r SET title = '', detail = '{}' WHERE r.resident_id = person;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'silences';
    UPDATE silences s SET reason = '已删除 Erased' WHERE s.resident_id = person;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'hour_accounts';
    UPDATE hour_accounts h SET name = '已删除 Erased' WHERE h.resident_id = person;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'account_entries';
    UPDATE account_entries e SET note = '', reference = '' WHERE e.resident_id = person;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'resident_guardians';
    UPDATE resident_guardians g SET name = '已删除 Erased', relation = '', phone = '', ground = '已删除 Erased'
    WHERE g.resident_id = person;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'rights_requests';
    UPDATE rights_requests q SET requested_by = '已删除 Erased', reason = '', changes = '{}' WHERE q.resident_id = person;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
    what := 'residents';
    UPDATE residents p SET name = '已删除 Erased', sex = 'unknown', birth_date = date_trunc('year', p.birth_date)::date,
        building = '', floor = '', room = '', address = '', phone = '', care_level = NULL, conditions = '',
        medication = '', access_notes = '', version = p.version + 1
    WHERE p.id = person;
    GET DIAGNOSTICS touched = ROW_COUNT;
    RETURN NEXT;
END $$;
REVOKE ALL ON FUNCTION erase_person(uuid, boolean), erase_record(uuid) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO anhu_eraser;
ALTER FUNCTION erase_person(uuid, boolean) OWNER TO anhu_eraser;
ALTER FUNCTION erase_record(uuid) OWNER TO anhu_eraser;
REVOKE CREATE ON SCHEMA public FROM anhu_eraser;
SET LOCAL ROLE anhu_eraser;
GRANT EXECUTE ON FUNCTION erase_person(uuid, boolean) TO anhu_jobs;
RESET ROLE;
