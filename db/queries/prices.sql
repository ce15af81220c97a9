-- Items, prices, subsidies.

-- name: items
SELECT id, service, code, name, unit, active, version, created_at FROM service_items
WHERE (%(id)s::uuid IS NULL OR id = %(id)s)
  AND (%(after)s::timestamptz IS NULL OR (created_at, id) > (%(after)s, %(after_id)s::uuid))
  AND (%(service)s::text IS NULL OR service = %(service)s)
ORDER BY created_at, id LIMIT %(limit)s

-- name: add_item
INSERT INTO service_items (id, institution_id, service, code, name, unit, created_at, updated_at)
VALUES (%(id)s, %(tenant)s, %(service)s, %(code)s, %(name)s, %(unit)s, %(now)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: lock_item
SELECT version FROM service_items WHERE id = %(id)s FOR UPDATE

-- name: change_item
UPDATE service_items SET name = %(name)s, active = %(active)s, version = version + 1, updated_at = %(now)s
WHERE id = %(id)s

-- name: of_item
SELECT id, provider_id, amount, valid_from, valid_until, created_at FROM item_prices
WHERE item_id = %(item)s ORDER BY valid_from DESC, created_at DESC, id DESC LIMIT 500

-- name: add_price
INSERT INTO item_prices (id, institution_id, item_id, provider_id, amount, valid_from, valid_until, created_at,
                         created_by)
VALUES (%(id)s, %(tenant)s, %(item)s, %(provider_id)s, %(amount)s, %(valid_from)s, %(valid_until)s, %(now)s, %(by)s)
ON CONFLICT (id) DO NOTHING

-- name: end_price
UPDATE item_prices SET valid_until = %(valid_until)s
WHERE id = %(id)s AND item_id = %(item)s AND valid_from <= %(valid_until)s
  AND (valid_until IS NULL OR valid_until > %(valid_until)s)

-- name: on_day
SELECT p.amount FROM item_prices p JOIN service_items i ON i.id = p.item_id AND i.active
WHERE p.item_id = %(item)s AND i.service = %(service)s AND p.valid_from <= %(day)s
  AND (p.valid_until IS NULL OR p.valid_until >= %(day)s)
  AND (p.provider_id IS NULL OR p.provider_id = %(provider)s)
ORDER BY p.provider_id IS NULL, p.valid_from DESC LIMIT 1

-- name: rules
SELECT id, name, source, service, item_id, care_levels, groups, percent, amount, ceiling_month, priority, valid_from,
       valid_until, version, created_at
FROM subsidy_rules
WHERE (%(id)s::uuid IS NULL OR id = %(id)s)
  AND (%(after)s::timestamptz IS NULL OR (created_at, id) > (%(after)s, %(after_id)s::uuid))
ORDER BY created_at, id LIMIT %(limit)s

-- name: lock_rule
SELECT version FROM subsidy_rules WHERE id = %(id)s FOR UPDATE

-- name: add_rule
INSERT INTO subsidy_rules (id, institution_id, name, source, service, item_id, care_levels, groups, percent, amount,
                           ceiling_month, priority, valid_from, valid_until, created_at, updated_at)
VALUES (%(id)s, %(tenant)s, %(name)s, %(source)s, %(service)s, %(item_id)s, %(care_levels)s::smallint[],
        %(groups)s::text[], %(percent)s, %(amount)s, %(ceiling_month)s, %(priority)s, %(valid_from)s, %(valid_until)s,
        %(now)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: change_rule
UPDATE subsidy_rules SET name = %(name)s, source = %(source)s, service = %(service)s, item_id = %(item_id)s,
    care_levels = %(care_levels)s::smallint[], groups = %(groups)s::text[], percent = %(percent)s, amount = %(amount)s,
    ceiling_month = %(ceiling_month)s, priority = %(priority)s, valid_from = %(valid_from)s,
    valid_until = %(valid_until)s, version = version + 1, updated_at = %(now)s
WHERE id = %(id)s

-- name: rules_for
-- Rules that hold for a resident on a day, in their order, with what the month has used of each.
SELECT s.id, s.percent, s.amount, s.ceiling_month,
       coalesce((SELECT sum(u.amount) FROM subsidy_uses u WHERE u.rule_id = s.id AND u.resident_id = p.id
                 AND u.month = %(month)s), 0) AS used
FROM subsidy_rules s JOIN residents p ON p.id = %(resident)s
WHERE s.valid_from <= %(day)s AND (s.valid_until IS NULL OR s.valid_until >= %(day)s)
  AND (s.service IS NULL OR s.service = %(service)s)
  AND (s.item_id IS NULL OR s.item_id = %(item)s)
  AND (s.care_levels = '{}' OR p.care_level = ANY (s.care_levels))
  AND (s.groups = '{}' OR EXISTS (SELECT FROM resident_groups g WHERE g.resident_id = p.id AND g.code = ANY (s.groups)
       AND g.valid_from <= %(day)s AND (g.valid_until IS NULL OR g.valid_until >= %(day)s)))
ORDER BY s.priority, s.created_at, s.id

-- name: use_rule
INSERT INTO subsidy_uses (institution_id, record_id, rule_id, resident_id, month, amount, at)
VALUES (%(tenant)s, %(record)s, %(rule)s, %(resident)s, %(month)s, %(amount)s, %(now)s)

-- name: uses
SELECT u.record_id, u.rule_id, r.name AS rule_name, u.resident_id, u.month, u.amount, u.at
FROM subsidy_uses u JOIN subsidy_rules r ON r.id = u.rule_id
WHERE (%(month)s::date IS NULL OR u.month = %(month)s)
  AND (%(resident)s::uuid IS NULL OR u.resident_id = %(resident)s)
  AND (%(record)s::uuid IS NULL OR u.record_id = %(record)s)
  AND (%(before)s::timestamptz IS NULL OR (u.at, u.record_id, u.rule_id) <
       (%(before)s, %(before_record)s::uuid, %(before_rule)s::uuid))
ORDER BY u.at DESC, u.record_id DESC, u.rule_id DESC LIMIT %(limit)s

-- name: groups
SELECT code, valid_from, valid_until, proof, recorded_at FROM resident_groups
WHERE resident_id = %(resident)s ORDER BY code

-- name: set_group
INSERT INTO resident_groups (institution_id, resident_id, code, valid_from, valid_until, proof, recorded_by, recorded_at)
VALUES (%(tenant)s, %(resident)s, %(code)s, %(valid_from)s, %(valid_until)s, %(proof)s, %(by)s, %(now)s)
ON CONFLICT (resident_id, code) DO UPDATE SET valid_from = excluded.valid_from, valid_until = excluded.valid_until,
    proof = excluded.proof, recorded_by = excluded.recorded_by, recorded_at = excluded.recorded_at

-- name: remove_group
DELETE FROM resident_groups WHERE resident_id = %(resident)s AND code = %(code)s
