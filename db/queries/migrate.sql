-- The record of migrations.

-- name: lock
SELECT pg_advisory_lock(hashtext('anhu migrate'))

-- name: unlock
SELECT pg_advisory_unlock(hashtext('anhu migrate'))

-- name: create_record
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    flavour    text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)

-- name: record
INSERT INTO schema_migrations (number, name, checksum, flavour)
VALUES (%(number)s, %(name)s, %(checksum)s, %(flavour)s)

-- name: done
SELECT number, checksum FROM schema_migrations ORDER BY number

-- name: flavour
SELECT flavour FROM schema_migrations ORDER BY number LIMIT 1

-- name: timescale_offered
-- Installed on the server, and loaded where that can be seen: an extension that is only on disk cannot be created.
SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'

-- name: create_timescale
CREATE EXTENSION IF NOT EXISTS timescaledb

-- name: upsert_metric
INSERT INTO metrics (id, code, unit, ucum, loinc, low, high, kind, zh, en)
VALUES (%(id)s, %(code)s, %(unit)s, %(ucum)s, %(loinc)s, %(low)s, %(high)s, %(kind)s, %(zh)s, %(en)s)
ON CONFLICT (id) DO UPDATE SET unit = excluded.unit, ucum = excluded.ucum, loinc = excluded.loinc,
    low = excluded.low, high = excluded.high, zh = excluded.zh, en = excluded.en

-- name: set_batch_rows
-- The columnstore packs 1,000 readings to a batch by itself. A day of one a minute is 1,440: in one batch it is an
-- twelfth smaller than in a full one and a rest (docs/storage.md). It is the database's setting, so that the extension's
-- own jobs have it. A login that does not own the database leaves it as it is, and so does a release of the extension
-- that has 1,000 for its bound: both lose that twelfth.
DO $$
BEGIN
    -- Releases without the setting answer NULL.
    IF current_setting('timescaledb.compression_batch_size_limit', true)::integer < 1440 THEN
        EXECUTE format('ALTER DATABASE %I SET timescaledb.compression_batch_size_limit = 1440', current_database());
    END IF;
EXCEPTION WHEN insufficient_privilege OR invalid_parameter_value THEN
    RAISE NOTICE 'the columnstore keeps its batches of 1,000 readings: %', SQLERRM;
END $$
