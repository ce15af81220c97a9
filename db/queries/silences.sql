-- Silences and times of maintenance; what they and other alerts have held back.

-- name: explaining
-- The open alert that makes this device's trouble a consequence: of its gateway, its house or the platform.
SELECT a.id, a.institution_id, a.type FROM alerts a
WHERE a.institution_id = %(institution_id)s AND a.type = ANY (%(types)s) AND a.state <> 'resolved'
  AND a.cleared_at IS NULL
  AND (a.type IN ('site_offline', 'ingest_down')
       OR a.device_key IN (SELECT f.gateway_key FROM foreign_devices f WHERE f.device_key = %(device_key)s
                           UNION ALL SELECT %(device_key)s::integer))
ORDER BY a.type = 'ingest_down' DESC, a.type = 'site_offline' DESC, a.opened_at LIMIT 1
FOR UPDATE OF a

-- name: matching
-- The silence in force that means this occurrence, which is no emergency. What concerns a person, only where its type
-- is named.
SELECT s.id, s.reason FROM silences s
LEFT JOIN residents r ON r.id = %(resident_id)s::uuid
LEFT JOIN bindings b ON b.device_key = %(device_key)s::integer AND b.bound_from <= %(now)s
     AND (b.bound_to IS NULL OR b.bound_to > %(now)s)
LEFT JOIN residents w ON w.id = b.resident_id
WHERE s.institution_id = %(institution_id)s AND s.ended_at IS NULL AND s.starts_at <= %(now)s AND s.ends_at > %(now)s
  AND (CASE WHEN s.alert_types IS NULL THEN %(technical)s ELSE %(type)s = ANY (s.alert_types) END)
  AND (s.device_key IS NULL OR s.device_key = %(device_key)s)
  AND (s.resident_id IS NULL OR s.resident_id IN (r.id, w.id))
  AND (s.building = '' OR s.building IN (r.building, w.building))
  AND (s.floor = '' OR s.floor IN (r.floor, w.floor))
  AND (s.room = '' OR s.room IN (r.room, w.room, b.room))
ORDER BY s.ends_at DESC LIMIT 1

-- name: record
INSERT INTO alert_suppressions (institution_id, at, cause, silence_id, by_alert_id, away_id, reason, type, severity,
                                source, resident_id, device_key, place, score, evidence, occurred_at)
VALUES (%(institution_id)s, %(now)s, %(cause)s, %(silence_id)s, %(by_alert_id)s, %(away_id)s, %(reason)s, %(type)s,
        %(severity)s, %(source)s, %(resident_id)s, %(device_key)s, %(place)s, %(score)s, %(evidence)s, %(occurred_at)s)

-- name: clear
UPDATE alert_suppressions SET cleared_at = %(at)s
WHERE institution_id = %(institution_id)s AND type = %(type)s AND cleared_at IS NULL AND released_at IS NULL
  AND source = 'detector' AND device_key IS NOT DISTINCT FROM %(device_key)s
  AND (%(device_key)s::integer IS NOT NULL OR resident_id IS NOT DISTINCT FROM %(resident_id)s)

-- name: releasable
-- What a detector raised, still holds, and is no longer held back. Behind a line that is back every device has its own
-- interval to speak first. What happened at one moment (an event) is over and stays a record.
SELECT p.* FROM alert_suppressions p
LEFT JOIN silences s ON s.id = p.silence_id
LEFT JOIN alerts a ON a.id = p.by_alert_id
LEFT JOIN resident_away w ON w.id = p.away_id
LEFT JOIN devices d ON d.key = p.device_key
WHERE p.source = 'detector' AND p.cleared_at IS NULL AND p.released_at IS NULL
  AND CASE WHEN p.silence_id IS NOT NULL THEN s.ended_at IS NOT NULL OR s.ends_at <= %(now)s
           WHEN p.away_id IS NOT NULL THEN w.ended_at IS NOT NULL OR w.until <= %(now)s
           ELSE least(a.resolved_at, a.cleared_at) + make_interval(secs => greatest(
                    %(settle)s, coalesce(d.supervision_seconds, 0))) <= %(now)s END
ORDER BY p.institution_id, p.id LIMIT 200

-- name: released
UPDATE alert_suppressions SET released_at = %(now)s WHERE id = %(id)s

-- name: create
INSERT INTO silences (id, institution_id, author_id, reason, building, floor, room, device_key, resident_id, alert_types,
                      starts_at, ends_at, created_at)
VALUES (%(id)s, %(tenant)s, %(author)s, %(reason)s, %(building)s, %(floor)s, %(room)s, %(device_key)s, %(resident_id)s,
        %(alert_types)s, %(starts_at)s, %(ends_at)s, %(now)s)

-- name: end
UPDATE silences SET ended_at = %(now)s, ended_by = %(user)s
WHERE id = %(id)s AND ended_at IS NULL AND ends_at > %(now)s

-- name: get
SELECT s.id, s.reason, s.building, s.floor, s.room, d.id AS device_id, s.resident_id, s.alert_types,
       s.starts_at, s.ends_at, s.ended_at, s.created_at, u.name AS author, e.name AS ended_by,
       (SELECT count(*) FROM alert_suppressions p WHERE p.silence_id = s.id) AS suppressed
FROM silences s
JOIN users u ON u.id = s.author_id
LEFT JOIN users e ON e.id = s.ended_by
LEFT JOIN devices d ON d.key = s.device_key
WHERE s.id = %(id)s

-- name: list
SELECT s.id, s.reason, s.building, s.floor, s.room, d.id AS device_id, s.resident_id, s.alert_types,
       s.starts_at, s.ends_at, s.ended_at, s.created_at, u.name AS author, e.name AS ended_by,
       (SELECT count(*) FROM alert_suppressions p WHERE p.silence_id = s.id) AS suppressed
FROM silences s
JOIN users u ON u.id = s.author_id
LEFT JOIN users e ON e.id = s.ended_by
LEFT JOIN devices d ON d.key = s.device_key
WHERE (NOT %(current)s OR (s.ended_at IS NULL AND s.ends_at > %(now)s))
  AND (%(before)s::timestamptz IS NULL OR (s.created_at, s.id) < (%(before)s, %(before_id)s::uuid))
ORDER BY s.created_at DESC, s.id DESC LIMIT %(limit)s

-- name: suppressions
SELECT p.id, p.at, p.cause, p.silence_id, p.by_alert_id, p.reason, p.type, p.severity, p.source, p.resident_id,
       d.id AS device_id, p.place, p.occurred_at, p.cleared_at, p.released_at
FROM alert_suppressions p LEFT JOIN devices d ON d.key = p.device_key
WHERE (%(before)s::bigint IS NULL OR p.id < %(before)s)
  AND (%(silence)s::uuid IS NULL OR p.silence_id = %(silence)s)
  AND (%(alert)s::uuid IS NULL OR p.by_alert_id = %(alert)s)
ORDER BY p.id DESC LIMIT %(limit)s
