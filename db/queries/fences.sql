-- Safe areas of one person: who drew them and since when. What is taken away stays as a record.

-- name: list
SELECT f.id, f.name, f.corners, f.radius_m, f.from_minute, f.to_minute, u.name AS author, f.valid_from
FROM geofences f JOIN users u ON u.id = f.author_id
WHERE f.resident_id = %(resident)s AND f.valid_to IS NULL ORDER BY f.valid_from DESC, f.id DESC LIMIT 100

-- name: count
SELECT count(*) AS n FROM geofences WHERE resident_id = %(resident)s AND valid_to IS NULL

-- name: insert
INSERT INTO geofences (id, institution_id, resident_id, name, corners, radius_m, from_minute, to_minute, author_id,
                       valid_from)
VALUES (%(id)s, %(tenant)s, %(resident)s, %(name)s, %(corners)s, %(radius_m)s, %(from_minute)s, %(to_minute)s,
        %(author)s, %(now)s)

-- name: end
UPDATE geofences SET valid_to = %(now)s
WHERE id = %(id)s AND resident_id = %(resident)s AND valid_to IS NULL

-- name: all_in_force
SELECT r.key AS resident_key, f.corners, f.radius_m, f.from_minute, f.to_minute
FROM geofences f JOIN residents r ON r.id = f.resident_id
WHERE f.valid_to IS NULL ORDER BY r.key, f.id

-- name: tell
SELECT pg_notify('anhu_device', '')
