-- Second factors of sign-in, passwords that must be changed, and what an institution demands of its accounts.

-- Somebody else has set the password: its owner must set another before anything else.
ALTER TABLE users ADD COLUMN must_change_password boolean NOT NULL DEFAULT false;
ALTER TABLE users ADD COLUMN password_changed_at timestamptz;

-- The roles that must bring a second factor.
CREATE TABLE institution_security (
    institution_id uuid PRIMARY KEY REFERENCES institutions (id),
    otp_roles      text[] NOT NULL DEFAULT '{}'
                   CHECK (otp_roles <@ '{admin,caregiver,family,provider,regulator,platform}'),
    version        integer NOT NULL DEFAULT 1,
    updated_at     timestamptz NOT NULL
);
SELECT protect_tenant_table('institution_security', '{anhu_admin}');
CREATE POLICY service_login ON institution_security FOR SELECT TO anhu_login USING (true);
GRANT SELECT, INSERT, UPDATE ON institution_security TO anhu_api, anhu_admin;
GRANT SELECT ON institution_security TO anhu_login;

-- The secret behind one-time passwords is derived from the platform's key and this salt and is not stored. `last_step`
-- is the time step of the last code that was taken: no code is taken twice.
CREATE TABLE user_otp (
    user_id        uuid PRIMARY KEY REFERENCES users (id),
    institution_id uuid,
    salt           bytea NOT NULL,
    created_at     timestamptz NOT NULL,
    confirmed_at   timestamptz,
    last_step      bigint NOT NULL DEFAULT 0,
    failures       smallint NOT NULL DEFAULT 0,
    failures_until timestamptz
);
-- Each is used once, in place of a code.
CREATE TABLE user_recovery_codes (
    user_id        uuid NOT NULL REFERENCES users (id),
    institution_id uuid,
    code_hash      bytea NOT NULL,
    used_at        timestamptz,
    PRIMARY KEY (user_id, code_hash)
);
DO $$
DECLARE
    target regclass;
BEGIN
    FOREACH target IN ARRAY ARRAY['user_otp', 'user_recovery_codes']::regclass[] LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
        -- As with refresh tokens: accounts of no institution belong to the empty tenant.
        EXECUTE format('CREATE POLICY tenant ON %s USING (institution_id IS NOT DISTINCT FROM current_tenant())
                        WITH CHECK (institution_id IS NOT DISTINCT FROM current_tenant())', target);
        EXECUTE format('CREATE POLICY service_admin ON %s TO anhu_admin USING (true)', target);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO anhu_api', target);
        EXECUTE format('GRANT SELECT, DELETE ON %s TO anhu_admin', target);
    END LOOP;
END $$;
CREATE POLICY service_login ON user_otp FOR SELECT TO anhu_login USING (true);
GRANT SELECT (user_id, confirmed_at) ON user_otp TO anhu_login;

-- The door of signing in, wider by what an account still owes. The former doors stay for the release before.
CREATE FUNCTION login_account(wanted_name text, wanted_id uuid)
RETURNS TABLE (id uuid, institution_id uuid, site text, username text, password_hash text, role text, name text,
               token_version integer, disabled boolean, must_change_password boolean, has_otp boolean,
               otp_demanded boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.id, u.institution_id, i.code, u.username, CASE WHEN wanted_id IS NULL THEN u.password_hash END, u.role,
           u.name, u.token_version, u.disabled_at IS NOT NULL, u.must_change_password,
           EXISTS (SELECT FROM user_otp o WHERE o.user_id = u.id AND o.confirmed_at IS NOT NULL),
           EXISTS (SELECT FROM institution_security s WHERE s.institution_id = u.institution_id
                   AND u.role = ANY (s.otp_roles))
    FROM users u LEFT JOIN institutions i ON i.id = u.institution_id
    WHERE (wanted_id IS NULL AND u.username = lower(wanted_name)) OR u.id = wanted_id
$$;
REVOKE ALL ON FUNCTION login_account(text, uuid) FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO anhu_login;
ALTER FUNCTION login_account(text, uuid) OWNER TO anhu_login;
REVOKE CREATE ON SCHEMA public FROM anhu_login;
SET LOCAL ROLE anhu_login;
GRANT EXECUTE ON FUNCTION login_account(text, uuid) TO anhu_api;
RESET ROLE;
