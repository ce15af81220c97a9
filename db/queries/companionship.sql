-- People to be visited, and the time bank.

-- name: set_target
INSERT INTO visit_targets (institution_id, resident_id, groups, every_days, since, until, updated_at)
VALUES (%(tenant)s, %(resident)s, %(groups)s, %(every_days)s, %(since)s, %(until)s, %(now)s)
ON CONFLICT (resident_id) DO UPDATE SET groups = excluded.groups, every_days = excluded.every_days,
    since = excluded.since, until = excluded.until, updated_at = excluded.updated_at

-- name: remove_target
DELETE FROM visit_targets WHERE resident_id = %(resident)s

-- name: due
-- Every person to be visited with the last visit and the day on which the next is due; those longest overdue first.
SELECT t.resident_id, p.name, place_text(p.building, p.floor, p.room, p.address) AS place, t.groups, t.every_days,
       v.last_visit, d.due_on, d.due_on < %(today)s AS overdue, n.id AS planned_id, n.starts_at AS planned_at
FROM visit_targets t
JOIN residents p ON p.id = t.resident_id AND p.status NOT IN ('discharged', 'deceased')
LEFT JOIN LATERAL (
    SELECT max((r.detail ->> 'visited_at')::timestamptz) AS last_visit FROM service_records r
    WHERE r.resident_id = t.resident_id AND r.service = 'companionship' AND r.kind = 'visit'
      AND r.detail ? 'visited_at'
) v ON true
CROSS JOIN LATERAL (
    SELECT coalesce((v.last_visit AT TIME ZONE 'Asia/Shanghai')::date, t.since) + t.every_days AS due_on
) d
LEFT JOIN LATERAL (
    SELECT r.id, r.starts_at FROM service_records r
    WHERE r.resident_id = t.resident_id AND r.service = 'companionship' AND r.kind = 'visit'
      AND r.state IN ('planned', 'assigned', 'missed')
    ORDER BY r.starts_at NULLS LAST LIMIT 1
) n ON true
WHERE (t.until IS NULL OR t.until >= %(today)s)
  AND (%(before)s::date IS NULL OR d.due_on <= %(before)s)
  AND (%(after_due)s::date IS NULL OR (d.due_on, t.resident_id) > (%(after_due)s, %(after_id)s::uuid))
ORDER BY d.due_on, t.resident_id LIMIT %(limit)s

-- name: accounts
SELECT id, kind, name, user_id, resident_id, minutes, created_at FROM hour_accounts
WHERE (%(after)s::timestamptz IS NULL OR (created_at, id) > (%(after)s, %(after_id)s::uuid))
ORDER BY created_at, id LIMIT %(limit)s

-- name: account
SELECT id, kind, name, user_id, resident_id, minutes, created_at FROM hour_accounts WHERE id = %(id)s

-- name: lock_account
SELECT id, kind, minutes FROM hour_accounts WHERE id = %(id)s FOR UPDATE

-- name: add_account
INSERT INTO hour_accounts (id, institution_id, kind, name, user_id, resident_id, created_at)
VALUES (%(id)s, %(tenant)s, %(kind)s, %(name)s, %(user_id)s, %(resident_id)s, %(now)s)

-- name: own_account
-- The institution's single account of this kind, made when it is first needed.
INSERT INTO hour_accounts (id, institution_id, kind, name, created_at)
VALUES (%(id)s, %(tenant)s, %(kind)s, %(name)s, %(now)s)
ON CONFLICT (institution_id, kind) WHERE kind IN ('issue', 'spent', 'common') DO UPDATE SET name = excluded.name
RETURNING id

-- name: change_account
UPDATE hour_accounts SET minutes = minutes + %(minutes)s WHERE id = %(id)s

-- name: add_entry
INSERT INTO hour_entries (institution_id, at, from_account, to_account, minutes, cause, record_id, user_id)
VALUES (%(tenant)s, %(now)s, %(source)s, %(target)s, %(minutes)s, %(cause)s, %(record)s, %(user)s)

-- name: entries
SELECT seq, at, from_account, to_account, minutes, cause, record_id FROM hour_entries
WHERE (from_account = %(account)s OR to_account = %(account)s) AND seq < %(before)s ORDER BY seq DESC LIMIT %(limit)s
