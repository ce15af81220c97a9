-- The rota: who reads it is the api of one institution, or alerts for the one it names.

-- name: shifts_at
-- Shifts that may have an occurrence in [at, until): the calendar decides which of them have.
SELECT s.id, s.user_id, s.title, s.starts_on, s.start_time, s.end_time, s.end_day, s.zone, s.rule, s.except_on,
       s.building, s.floors, s.note, s.removed_at, u.name, u.phone, u.disabled_at IS NOT NULL AS disabled
FROM rota_shifts s JOIN users u ON u.id = s.user_id
WHERE s.institution_id = %(institution_id)s AND (s.removed_at IS NULL OR s.removed_at > %(at)s)
  AND s.starts_on <= (%(until)s::timestamptz AT TIME ZONE 'UTC')::date + 2
  AND (s.rule <> '' OR s.starts_on >= (%(at)s::timestamptz AT TIME ZONE 'UTC')::date - 5)
ORDER BY s.created_at, s.id

-- name: swaps_in
SELECT w.shift_id, w.on_date, w.user_id, u.name, u.phone, u.disabled_at IS NOT NULL AS disabled
FROM rota_swaps w JOIN users u ON u.id = w.user_id
WHERE w.institution_id = %(institution_id)s AND w.on_date BETWEEN %(first)s AND %(last)s
  AND w.accepted_at IS NOT NULL AND w.cancelled_at IS NULL

-- name: absences_in
SELECT user_id, begins_at, ends_at FROM rota_absences
WHERE institution_id = %(institution_id)s AND cancelled_at IS NULL
  AND begins_at < %(end)s AND ends_at > %(begin)s

-- name: by_hand
SELECT id, name, phone FROM users
WHERE institution_id = %(institution_id)s AND role = 'caregiver' AND on_duty AND disabled_at IS NULL ORDER BY id

-- name: shifts
SELECT s.*, u.name AS user_name FROM rota_shifts s JOIN users u ON u.id = s.user_id
WHERE s.removed_at IS NULL AND (%(user)s::uuid IS NULL OR s.user_id = %(user)s)
  AND (%(after)s::timestamptz IS NULL OR (s.created_at, s.id) > (%(after)s, %(after_id)s::uuid))
ORDER BY s.created_at, s.id LIMIT %(limit)s

-- name: shift
SELECT s.*, u.name AS user_name FROM rota_shifts s JOIN users u ON u.id = s.user_id
WHERE s.id = %(id)s AND s.removed_at IS NULL

-- name: lock_shift
SELECT version FROM rota_shifts WHERE id = %(id)s AND removed_at IS NULL FOR UPDATE

-- name: shift_of_uid
SELECT id FROM rota_shifts WHERE uid = %(uid)s AND removed_at IS NULL

-- name: add_shift
INSERT INTO rota_shifts (id, institution_id, user_id, title, starts_on, start_time, end_time, end_day, zone, rule,
                         except_on, building, floors, note, uid, created_at, updated_at)
VALUES (%(id)s, %(tenant)s, %(user_id)s, %(title)s, %(starts_on)s, %(start_time)s, %(end_time)s, %(end_day)s, %(zone)s,
        %(rule)s, %(except_on)s::date[], %(building)s, %(floors)s::text[], %(note)s, %(uid)s, %(now)s, %(now)s)

-- name: save_shift
UPDATE rota_shifts SET user_id = %(user_id)s, title = %(title)s, starts_on = %(starts_on)s,
    start_time = %(start_time)s, end_time = %(end_time)s, end_day = %(end_day)s, zone = %(zone)s, rule = %(rule)s,
    except_on = %(except_on)s::date[], building = %(building)s, floors = %(floors)s::text[], note = %(note)s,
    version = version + 1, updated_at = %(now)s
WHERE id = %(id)s AND removed_at IS NULL

-- name: remove_shift
UPDATE rota_shifts SET removed_at = %(now)s, version = version + 1 WHERE id = %(id)s AND removed_at IS NULL

-- name: add_swap
INSERT INTO rota_swaps (id, institution_id, shift_id, on_date, user_id, reason, author_id, created_at, accepted_at)
VALUES (%(id)s, %(tenant)s, %(shift_id)s, %(on_date)s, %(user_id)s, %(reason)s, %(author)s, %(now)s, %(accepted_at)s)
ON CONFLICT (shift_id, on_date) WHERE cancelled_at IS NULL DO NOTHING

-- name: swaps
SELECT w.*, u.name AS user_name, s.user_id AS from_id, f.name AS from_name, a.name AS author
FROM rota_swaps w JOIN users u ON u.id = w.user_id JOIN rota_shifts s ON s.id = w.shift_id
JOIN users f ON f.id = s.user_id JOIN users a ON a.id = w.author_id
WHERE (%(id)s::uuid IS NULL OR w.id = %(id)s) AND w.cancelled_at IS NULL
  AND (%(after)s::timestamptz IS NULL OR (w.created_at, w.id) > (%(after)s, %(after_id)s::uuid))
ORDER BY w.created_at, w.id LIMIT %(limit)s

-- name: accept_swap
UPDATE rota_swaps SET accepted_at = %(now)s WHERE id = %(id)s AND accepted_at IS NULL AND cancelled_at IS NULL

-- name: cancel_swap
UPDATE rota_swaps SET cancelled_at = %(now)s WHERE id = %(id)s AND cancelled_at IS NULL

-- name: add_absence
INSERT INTO rota_absences (id, institution_id, user_id, begins_at, ends_at, reason, author_id, created_at)
VALUES (%(id)s, %(tenant)s, %(user_id)s, %(begins_at)s, %(ends_at)s, %(reason)s, %(author)s, %(now)s)

-- name: absences
SELECT b.*, u.name AS user_name FROM rota_absences b JOIN users u ON u.id = b.user_id
WHERE b.cancelled_at IS NULL AND (%(id)s::uuid IS NULL OR b.id = %(id)s)
  AND (%(user)s::uuid IS NULL OR b.user_id = %(user)s)
  AND (%(after)s::timestamptz IS NULL OR (b.begins_at, b.id) > (%(after)s, %(after_id)s::uuid))
ORDER BY b.begins_at, b.id LIMIT %(limit)s

-- name: cancel_absence
UPDATE rota_absences SET cancelled_at = %(now)s WHERE id = %(id)s AND cancelled_at IS NULL

-- name: add_handover
INSERT INTO rota_handovers (id, institution_id, at, author_id, building, floors, note)
VALUES (%(id)s, %(tenant)s, %(now)s, %(author)s, %(building)s, %(floors)s::text[], %(note)s)

-- name: handovers
SELECT h.id, h.at, h.author_id, u.name AS author, h.building, h.floors, h.note
FROM rota_handovers h JOIN users u ON u.id = h.author_id
WHERE (%(since)s::timestamptz IS NULL OR h.at >= %(since)s)
  AND (%(before)s::timestamptz IS NULL OR (h.at, h.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY h.at DESC, h.id DESC LIMIT %(limit)s

-- name: staff
-- Everybody who can be put on the rota, for names in a calendar.
SELECT id, username, name FROM users
WHERE institution_id = current_tenant() AND role IN ('caregiver', 'admin') AND disabled_at IS NULL ORDER BY id

-- name: zone
SELECT timezone FROM institutions WHERE id = %(tenant)s
