-- What a house decides about its money and its beds.

-- name: get
SELECT keep_bed_days, warn_days, absence_percent, absence_from_days, absence_items, version, updated_at
FROM house_rules WHERE institution_id = %(tenant)s

-- name: lock
SELECT version FROM house_rules WHERE institution_id = %(tenant)s FOR UPDATE

-- name: put
INSERT INTO house_rules (institution_id, keep_bed_days, warn_days, absence_percent, absence_from_days, absence_items,
                         updated_at, updated_by)
VALUES (%(tenant)s, %(keep_bed_days)s, %(warn_days)s, %(absence_percent)s, %(absence_from_days)s, %(absence_items)s,
        %(now)s, %(by)s)
ON CONFLICT (institution_id) DO UPDATE SET keep_bed_days = excluded.keep_bed_days, warn_days = excluded.warn_days,
    absence_percent = excluded.absence_percent, absence_from_days = excluded.absence_from_days,
    absence_items = excluded.absence_items, version = house_rules.version + 1, updated_at = excluded.updated_at,
    updated_by = excluded.updated_by

-- name: kept_beds
-- Beds that wait for somebody: kept for who is to come (`due_at` is when that ends), or of who is away since when.
SELECT r.id, r.institution_id, r.service, r.kind, r.state, r.resident_id, r.provider_id, r.worker_id, r.title,
       r.starts_at, r.ends_at, r.due_at, r.price, r.subsidy, r.detail, r.created_by, a.begins_at AS away_since,
       coalesce(h.warn_days, 3) AS warn_days, CASE WHEN h IS NULL THEN 14 ELSE h.keep_bed_days END AS keep_bed_days
FROM bed_uses u JOIN service_records r ON r.id = u.record_id AND NOT r.final
LEFT JOIN resident_away a ON a.resident_id = u.resident_id AND a.ended_at IS NULL AND a.begins_at <= %(now)s
LEFT JOIN house_rules h ON h.institution_id = u.institution_id
WHERE u.used_to IS NULL AND (r.state = 'reserved' OR a.id IS NOT NULL)
ORDER BY u.used_from, u.id LIMIT %(limit)s FOR UPDATE OF r SKIP LOCKED

-- name: warned
UPDATE service_records SET detail = detail || jsonb_build_object('bed_warned_on', %(today)s::date) WHERE id = %(record)s
