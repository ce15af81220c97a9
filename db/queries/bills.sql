-- Fees, bills, accounts.

-- name: spans
-- Days in a bed of the house or at home; a bed that is only kept costs nothing.
SELECT used_from, used_to FROM bed_uses WHERE resident_id = %(resident)s AND NOT reserved ORDER BY used_from

-- name: fees
SELECT f.id, f.item_id, i.name, i.unit, f.quantity, f.amount, f.valid_from, f.valid_until, f.created_at
FROM resident_fees f JOIN service_items i ON i.id = f.item_id
WHERE f.resident_id = %(resident)s ORDER BY i.code, f.valid_from, f.id LIMIT 500

-- name: absences
-- Days away; who has not come back is still away.
SELECT begins_at, ended_at FROM resident_away WHERE resident_id = %(resident)s ORDER BY begins_at, id LIMIT 500

-- name: orders
-- Orders whose own share was left to the bill, settled before a day, that are on none. What is care of health is not
-- named: a bill is read by who has no consent for that.
SELECT r.id, r.price, coalesce(r.subsidy, 0) AS subsidy,
       CASE WHEN r.service = 'daily-living' THEN coalesce(nullif(r.title, ''), i.name, '服务 Service')
            ELSE '服务 Service' END AS title,
       coalesce((r.starts_at AT TIME ZONE 'Asia/Shanghai')::date, (r.detail ->> 'settled_on')::date) AS day
FROM service_records r LEFT JOIN service_items i ON i.id = (r.detail ->> 'item_id')::uuid
WHERE r.resident_id = %(resident)s AND r.detail ->> 'on_bill' = 'true' AND r.state IN ('settled', 'archived')
  AND (r.detail ->> 'settled_on')::date < %(before)s AND r.price > coalesce(r.subsidy, 0)
  AND NOT EXISTS (SELECT FROM billed_orders b WHERE b.record_id = r.id)
ORDER BY day, r.id LIMIT 500

-- name: take_order
INSERT INTO billed_orders (record_id, institution_id, bill_id) VALUES (%(record)s, %(tenant)s, %(bill)s)

-- name: let_go_of_orders
DELETE FROM billed_orders WHERE bill_id = %(bill)s

-- name: fee_item
SELECT unit FROM service_items WHERE id = %(item)s AND service = 'institution' AND active

-- name: add_fee
INSERT INTO resident_fees (id, institution_id, resident_id, item_id, quantity, amount, valid_from, valid_until,
                           created_at)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(item_id)s, %(quantity)s, %(amount)s, %(valid_from)s, %(valid_until)s,
        %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: end_fee
UPDATE resident_fees SET valid_until = %(valid_until)s
WHERE id = %(id)s AND resident_id = %(resident)s AND valid_from <= %(valid_until)s
  AND (valid_until IS NULL OR valid_until > %(valid_until)s)

-- name: of_month
SELECT id FROM service_records
WHERE resident_id = %(resident)s AND service = 'institution' AND kind = 'bill' AND state <> 'void'
  AND detail ->> 'month' = %(month)s AND id <> %(record)s

-- name: has_left
SELECT 1 AS found FROM residents WHERE id = %(resident)s AND status IN ('discharged', 'deceased')

-- name: without
-- Who had a bed in a month and pays for something, or left an order to the bill, and has no bill of it yet.
SELECT p.id FROM residents p
WHERE (EXISTS (SELECT FROM bed_uses u WHERE u.resident_id = p.id AND NOT u.reserved AND u.used_from < %(ends)s
               AND (u.used_to IS NULL OR u.used_to > %(begins)s))
       AND EXISTS (SELECT FROM resident_fees f WHERE f.resident_id = p.id AND f.valid_from < %(last)s::date
                   AND (f.valid_until IS NULL OR f.valid_until >= %(first)s::date))
       OR EXISTS (SELECT FROM service_records r WHERE r.resident_id = p.id AND r.detail ->> 'on_bill' = 'true'
                  AND r.state IN ('settled', 'archived') AND (r.detail ->> 'settled_on')::date < %(last)s::date
                  AND r.price > coalesce(r.subsidy, 0)
                  AND NOT EXISTS (SELECT FROM billed_orders b WHERE b.record_id = r.id)))
  AND NOT EXISTS (SELECT FROM service_records r WHERE r.resident_id = p.id AND r.service = 'institution'
                  AND r.kind = 'bill' AND r.state <> 'void' AND r.detail ->> 'month' = %(month)s)
ORDER BY p.created_at, p.id LIMIT %(limit)s

-- name: add_entry
INSERT INTO account_entries (institution_id, resident_id, at, cause, amount, record_id, method, reference, note, user_id,
                             key)
VALUES (%(tenant)s, %(resident)s, %(now)s, %(cause)s, %(amount)s, %(record)s, %(method)s, %(reference)s, %(note)s,
        %(user)s, %(key)s)

-- name: entries
SELECT seq, at, cause, amount, record_id, method, reference, note FROM account_entries
WHERE resident_id = %(resident)s AND (%(before)s::bigint IS NULL OR seq < %(before)s)
ORDER BY seq DESC LIMIT %(limit)s

-- name: entry_of_key
SELECT resident_id, cause, amount FROM account_entries WHERE key = %(key)s

-- name: balance
SELECT coalesce(sum(amount), 0)::numeric(12, 2) AS balance,
       coalesce(-sum(amount) FILTER (WHERE cause = 'deposit'), 0)::numeric(12, 2) AS deposits
FROM account_entries WHERE resident_id = %(resident)s

-- name: balances
-- Everybody with an open balance, who owes most first.
SELECT e.resident_id, p.name, sum(e.amount)::numeric(12, 2) AS balance
FROM account_entries e JOIN residents p ON p.id = e.resident_id
GROUP BY e.resident_id, p.name HAVING sum(e.amount) <> 0
    AND (%(before)s::numeric IS NULL OR (sum(e.amount), e.resident_id) < (%(before)s, %(before_id)s::uuid))
ORDER BY sum(e.amount) DESC, e.resident_id DESC LIMIT %(limit)s
