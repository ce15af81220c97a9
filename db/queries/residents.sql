-- Residents.

-- name: exists
SELECT 1 AS found FROM residents WHERE id = %(resident)s

-- name: exists_to_read
SELECT EXISTS (SELECT FROM resident_restrictions x WHERE x.resident_id = r.id) AS restricted
FROM residents r WHERE r.id = %(resident)s

-- name: get
SELECT id, name, sex, birth_date, building, floor, room, address, phone, care_level, conditions, medication,
       access_notes, status, version, created_at, updated_at
FROM residents WHERE id = %(resident)s

-- name: lock
SELECT version FROM residents WHERE id = %(resident)s FOR UPDATE

-- name: list
-- `viewer` limits the list to residents with a present consent for that account.
SELECT id, name, sex, birth_date, building, floor, room, address, phone, care_level, conditions, medication,
       access_notes, status, version, created_at, updated_at
FROM residents r
WHERE (%(after)s::timestamptz IS NULL OR (created_at, id) > (%(after)s, %(after_id)s::uuid))
  AND (%(room)s::text IS NULL OR room = %(room)s)
  AND (%(status)s::text IS NULL OR status = %(status)s)
  AND (%(q)s::text IS NULL OR strpos(lower(name || ' ' || building || ' ' || room), lower(%(q)s)) > 0)
  AND (%(viewer)s::uuid IS NULL OR EXISTS (SELECT FROM consents c WHERE c.resident_id = r.id
       AND c.user_id = %(viewer)s AND c.withdrawn_at IS NULL))
ORDER BY created_at, id LIMIT %(limit)s

-- name: insert
-- The same id again (a repeated request with one Idempotency-Key) changes nothing.
INSERT INTO residents (id, institution_id, name, sex, birth_date, building, floor, room, address, phone, care_level,
                       conditions, medication, access_notes, status, created_at, updated_at)
VALUES (%(id)s, %(tenant)s, %(name)s, %(sex)s, %(birth_date)s, %(building)s, %(floor)s, %(room)s, %(address)s,
        %(phone)s, %(care_level)s, %(conditions)s, %(medication)s, %(access_notes)s, %(status)s, %(now)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: update
UPDATE residents SET name = %(name)s, sex = %(sex)s, birth_date = %(birth_date)s, building = %(building)s,
    floor = %(floor)s, room = %(room)s, address = %(address)s, phone = %(phone)s, care_level = %(care_level)s,
    conditions = %(conditions)s, medication = %(medication)s, access_notes = %(access_notes)s, status = %(status)s,
    version = version + 1, updated_at = %(now)s
WHERE id = %(resident)s
