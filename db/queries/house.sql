-- Rooms, beds, and who uses them.

-- name: floors
SELECT o.building, o.floor, count(DISTINCT o.id) AS rooms, count(b.id) AS beds, count(u.id) AS taken
FROM rooms o
LEFT JOIN beds b ON b.room_id = o.id AND b.closed_at IS NULL
LEFT JOIN bed_uses u ON u.bed_id = b.id AND u.used_to IS NULL
GROUP BY o.building, o.floor ORDER BY o.building, o.floor LIMIT 1000

-- name: rooms
SELECT o.id, o.building, o.floor, o.name, o.facility_id, o.note, o.version, o.created_at,
       (SELECT count(*) FROM beds b WHERE b.room_id = o.id AND b.closed_at IS NULL) AS beds,
       (SELECT count(*) FROM beds b JOIN bed_uses u ON u.bed_id = b.id AND u.used_to IS NULL
        WHERE b.room_id = o.id) AS taken
FROM rooms o
WHERE (%(id)s::uuid IS NULL OR o.id = %(id)s)
  AND (%(after)s::timestamptz IS NULL OR (o.created_at, o.id) > (%(after)s, %(after_id)s::uuid))
  AND (%(building)s::text IS NULL OR o.building = %(building)s)
  AND (%(floor)s::text IS NULL OR o.floor = %(floor)s)
ORDER BY o.created_at, o.id LIMIT %(limit)s

-- name: lock_room
SELECT version FROM rooms WHERE id = %(id)s FOR UPDATE

-- name: facility
SELECT id FROM service_records WHERE id = %(id)s AND service = 'information' AND kind = 'facility'

-- name: add_room
INSERT INTO rooms (id, institution_id, facility_id, building, floor, name, note, created_at, updated_at)
VALUES (%(id)s, %(tenant)s, %(facility_id)s, %(building)s, %(floor)s, %(name)s, %(note)s, %(now)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: change_room
UPDATE rooms SET facility_id = %(facility_id)s, building = %(building)s, floor = %(floor)s, name = %(name)s,
    note = %(note)s, version = version + 1, updated_at = %(now)s
WHERE id = %(id)s

-- name: beds
SELECT b.id, b.room_id, o.building, o.floor, o.name AS room, b.label, b.type, b.closed_at, b.closed_reason, b.version,
       b.created_at, u.resident_id, u.reserved, p.name AS resident_name
FROM beds b LEFT JOIN rooms o ON o.id = b.room_id
LEFT JOIN bed_uses u ON u.bed_id = b.id AND u.used_to IS NULL LEFT JOIN residents p ON p.id = u.resident_id
WHERE (%(id)s::uuid IS NULL OR b.id = %(id)s)
  AND (%(after)s::timestamptz IS NULL OR (b.created_at, b.id) > (%(after)s, %(after_id)s::uuid))
  AND (%(type)s::text IS NULL OR b.type = %(type)s)
  AND (%(room)s::uuid IS NULL OR b.room_id = %(room)s)
  AND (%(free)s::boolean IS NULL OR (%(free)s AND u.id IS NULL AND b.closed_at IS NULL)
       OR (NOT %(free)s AND u.id IS NOT NULL))
ORDER BY b.created_at, b.id LIMIT %(limit)s

-- name: lock_bed
SELECT key, type, version, closed_at FROM beds WHERE id = %(id)s FOR UPDATE

-- name: add_bed
INSERT INTO beds (id, institution_id, room_id, label, type, created_at, updated_at)
VALUES (%(id)s, %(tenant)s, %(room_id)s, %(label)s, %(type)s, %(now)s, %(now)s)
ON CONFLICT (id) DO NOTHING

-- name: change_bed
UPDATE beds SET label = %(label)s, type = %(type)s, version = version + 1, updated_at = %(now)s WHERE id = %(id)s

-- name: close_bed
UPDATE beds SET closed_at = %(at)s, closed_reason = %(reason)s, version = version + 1, updated_at = %(now)s
WHERE id = %(id)s

-- name: occupancy
SELECT b.type, count(*) AS beds, count(u.id) FILTER (WHERE NOT u.reserved) AS occupied,
       count(u.id) FILTER (WHERE u.reserved) AS reserved
FROM beds b LEFT JOIN bed_uses u ON u.bed_id = b.id AND u.used_to IS NULL
WHERE b.closed_at IS NULL GROUP BY b.type

-- name: bed_uses
SELECT u.id, u.resident_id, p.name AS resident_name, u.record_id AS stay_id, u.reserved, u.used_from, u.used_to
FROM bed_uses u JOIN residents p ON p.id = u.resident_id
WHERE u.bed_id = %(bed)s
  AND (%(before)s::timestamptz IS NULL OR (u.used_from, u.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY u.used_from DESC, u.id DESC LIMIT %(limit)s

-- name: use_bed
-- Without a target, the clause also covers the constraint that nobody shares a bed and that nobody has two.
INSERT INTO bed_uses (id, institution_id, bed_id, bed_key, resident_id, record_id, reserved, used_from)
VALUES (%(id)s, %(tenant)s, %(bed)s, %(key)s, %(resident)s, %(record)s, %(reserved)s, %(now)s)
ON CONFLICT DO NOTHING RETURNING id

-- name: leave_bed
UPDATE bed_uses SET used_to = greatest(%(now)s, used_from) WHERE record_id = %(record)s AND used_to IS NULL

-- name: current_use
SELECT bed_id FROM bed_uses WHERE record_id = %(record)s AND used_to IS NULL

-- name: place_of_bed
SELECT b.label, b.type, coalesce(o.building, '') AS building, coalesce(o.floor, '') AS floor,
       coalesce(o.name, '') AS room
FROM beds b LEFT JOIN rooms o ON o.id = b.room_id WHERE b.id = %(id)s
