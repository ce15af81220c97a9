-- The record of who read or wrote what.

-- name: append
INSERT INTO audit_log (institution_id, at, user_id, username, role, action, object_type, object_id, detail, request_id,
                       address, success, purpose)
VALUES (%(tenant)s, %(now)s, %(user)s, %(username)s, %(role)s, %(action)s, %(object_type)s, %(object_id)s, %(detail)s,
        %(request_id)s, %(address)s, %(success)s, %(purpose)s)

-- name: list
SELECT id, at, user_id, username, role, action, object_type, object_id, detail, request_id, address, success,
       purpose
FROM audit_log
WHERE (%(before)s::bigint IS NULL OR id < %(before)s)
  AND (%(object_type)s::text IS NULL OR object_type = %(object_type)s)
  AND (%(object_id)s::text IS NULL OR object_id = %(object_id)s)
  AND (%(user)s::uuid IS NULL OR user_id = %(user)s)
ORDER BY id DESC LIMIT %(limit)s

-- name: seal
SELECT seal_audit(%(now)s, %(rows_max)s, %(settled)s) AS rows

-- name: drop_sealed
SELECT institution_id, sum(rows)::bigint AS rows FROM drop_sealed_audit(%(before)s, %(now)s) GROUP BY institution_id

-- name: seals
SELECT s.number, s.rows, s.first_at, s.last_at, s.sealed_at, encode(s.hash, 'hex') AS hash, s.dropped_at
FROM audit_seals s
WHERE s.institution_id IS NOT DISTINCT FROM %(institution)s
  AND (%(before)s::bigint IS NULL OR s.number < %(before)s) ORDER BY s.number DESC LIMIT %(limit)s

-- name: faults
SELECT number, fault, row_id FROM audit_faults(%(institution)s, %(after)s, %(batches)s, %(kept)s)

-- name: reach
-- How far a page of batches goes: its last number, its rows, the hash at its end.
SELECT coalesce(max(p.number), %(after)s) AS last, count(*) AS batches, coalesce(sum(p.rows), 0)::bigint AS rows,
       (SELECT encode(s.hash, 'hex') FROM audit_seals s WHERE s.institution_id IS NOT DISTINCT FROM %(institution)s
        AND s.number = coalesce(max(p.number), %(after)s)) AS hash
FROM (SELECT number, rows FROM audit_seals WHERE institution_id IS NOT DISTINCT FROM %(institution)s
      AND number > %(after)s ORDER BY number LIMIT %(batches)s) p

-- name: head_known
-- Whether a hash that somebody wrote down earlier is still on the chain.
SELECT EXISTS (SELECT FROM audit_seals WHERE institution_id IS NOT DISTINCT FROM %(institution)s
               AND hash = decode(%(hash)s, 'hex')) AS known

-- name: institution
SELECT id FROM institution_of_site(%(site)s) AS id WHERE id IS NOT NULL
