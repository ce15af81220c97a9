-- What complaints need beside their records.

-- name: order
SELECT provider_id, worker_id FROM service_records
WHERE id = %(id)s AND resident_id = %(resident)s AND service <> 'institution'

-- name: is_worker
SELECT 1 AS found FROM workers WHERE id = %(worker)s AND user_id = %(user)s

-- name: rating
-- What was said of a provider's finished work, and complaints about it.
SELECT count(*) FILTER (WHERE detail ->> 'stars' IS NOT NULL AND service <> 'institution') AS rated,
       avg((detail ->> 'stars')::numeric) FILTER (WHERE service <> 'institution') AS stars,
       count(*) FILTER (WHERE service = 'institution' AND kind = 'complaint' AND state <> 'withdrawn') AS complaints,
       count(*) FILTER (WHERE service = 'institution' AND kind = 'complaint' AND (detail ->> 'upheld')::boolean)
           AS upheld
FROM service_records WHERE provider_id = %(provider)s
