-- What the embedded PostgreSQL needs beside migrations.

-- name: database_exists
SELECT 1 FROM pg_database WHERE datname = 'anhu'

-- name: create_database
CREATE DATABASE anhu

-- name: ensure_logins
-- One login per role, with no right but to become that role. Peer authentication on the socket lets them in.
DO $$
DECLARE
    role_name text;
    login_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['anhu_api', 'anhu_ingest', 'anhu_alerts', 'anhu_jobs', 'anhu_admin'] LOOP
        login_name := 'login_' || role_name;
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login_name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE', login_name);
        END IF;
        EXECUTE format('GRANT %I TO %I', role_name, login_name);
    END LOOP;
END $$

-- name: ensure_demo_login
-- The demo's month is told by one login: what one story writes in several roles is committed together.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'login_anhu_demo') THEN
        CREATE ROLE login_anhu_demo LOGIN NOINHERIT NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
    END IF;
    GRANT anhu_api, anhu_ingest, anhu_alerts, anhu_jobs, anhu_admin TO login_anhu_demo;
END $$
