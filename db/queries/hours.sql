-- Which visits time was given in.

-- name: visit_done
SELECT 1 AS done FROM service_records
WHERE id = %(visit)s AND service = 'companionship' AND kind = 'visit' AND detail ? 'visited_at'

-- name: visit_counted
SELECT 1 AS counted FROM service_records
WHERE service = 'companionship' AND kind = 'hours' AND state <> 'void' AND detail ->> 'visit_id' = %(visit)s::text
  AND detail ->> 'account_id' = %(account)s
