-- The door for vendors' clouds: keys, requests, and the messages on their way to ingest.

-- name: insert_key
INSERT INTO ingest_keys (id, institution_id, name, salt, created_at)
VALUES (%(id)s, %(institution)s, %(name)s, %(salt)s, %(now)s)

-- name: revoke_key
UPDATE ingest_keys SET revoked_at = %(now)s
WHERE id = %(id)s AND institution_id = %(institution)s AND revoked_at IS NULL

-- name: list_keys
SELECT id, name, created_at, last_used_at, revoked_at FROM ingest_keys
WHERE institution_id = %(institution)s ORDER BY created_at, id

-- name: key_of_site
SELECT institution_id, salt FROM ingest_key_of_site(%(id)s, %(site)s)

-- name: mark_used
UPDATE ingest_keys SET last_used_at = %(now)s
WHERE id = %(id)s AND (last_used_at IS NULL OR last_used_at < %(now)s - interval '1 minute')

-- name: waiting
SELECT count(*) AS n FROM (SELECT 1 FROM ingest_inbox LIMIT %(limit)s) AS few

-- name: claim_request
INSERT INTO ingest_requests (institution_id, request_id, body_digest, messages, received)
VALUES (%(institution)s, %(request)s, %(digest)s, %(messages)s, %(now)s)
ON CONFLICT (institution_id, request_id) DO NOTHING

-- name: request
SELECT body_digest, messages FROM ingest_requests
WHERE institution_id = %(institution)s AND request_id = %(request)s

-- name: forget_requests
DELETE FROM ingest_requests WHERE institution_id = %(institution)s AND received < %(before)s

-- name: put
WITH new AS (
    INSERT INTO ingest_inbox (institution_id, site, device, channel, payload, received)
    SELECT %(institution)s, %(site)s, device, channel, payload, %(now)s
    FROM unnest(%(devices)s::text[], %(channels)s::text[], %(payloads)s::bytea[]) AS m (device, channel, payload)
    RETURNING 1)
SELECT count(*) AS n, pg_notify('anhu_inbox', '') FROM new

-- name: take
-- Events first; what another replica is working on is left to it.
DELETE FROM ingest_inbox WHERE id IN (
    SELECT id FROM ingest_inbox ORDER BY channel <> 'event', id LIMIT %(limit)s FOR UPDATE SKIP LOCKED)
RETURNING id, site, device, channel, payload, received
