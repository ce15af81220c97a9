-- Devices behind gateways: what was heard of them, and which registered device each one is.

-- name: mapped
-- What ingest must know to read a gateway's messages; devices out of service and their gateways are left out.
SELECT f.id, f.gateway_key, f.adapter, f.native_id, f.sos_actions, f.facts, i.code AS site, d.id AS device
FROM foreign_devices f
JOIN institutions i ON i.id = f.institution_id
JOIN devices g ON g.key = f.gateway_key AND g.retired_at IS NULL
LEFT JOIN devices d ON d.key = f.device_key AND d.retired_at IS NULL
WHERE d.key IS NOT NULL OR f.adapter = 'homeassistant'

-- name: mapped_addresses
SELECT facts ->> 'address' AS address, device_key, sos_actions FROM foreign_devices
WHERE gateway_key = %(gateway)s AND adapter = %(adapter)s AND device_key IS NOT NULL AND facts ? 'address'

-- name: sight
-- Records that a foreign device was heard; no row where the gateway has as many as it may have. Under a name that now
-- belongs to another piece of hardware, the mapping follows the hardware and not the name.
WITH before AS (
    SELECT rejected_at FROM foreign_devices
    WHERE gateway_key = %(gateway)s AND adapter = %(adapter)s AND native_id = %(native_id)s)
INSERT INTO foreign_devices (institution_id, gateway_key, adapter, native_id, facts, device_key, sos_actions,
                             link_quality, samples_unmapped, first_seen, last_seen, rejected_at)
SELECT %(institution)s, %(gateway)s, %(adapter)s, %(native_id)s, jsonb_strip_nulls(%(facts)s::jsonb),
       %(device_key)s::int, %(sos_actions)s::text[], %(link_quality)s::real, %(samples_unmapped)s, %(seen)s, %(seen)s,
       CASE WHEN %(samples_unmapped)s > 0 THEN %(now)s::timestamptz END
WHERE EXISTS (SELECT FROM before)
   OR (SELECT count(*) FROM foreign_devices WHERE gateway_key = %(gateway)s) < %(devices_max)s
ON CONFLICT (gateway_key, adapter, native_id) DO UPDATE SET
    facts = CASE WHEN length(foreign_devices.facts::text) + length(excluded.facts::text) > %(facts_chars_max)s
                 THEN foreign_devices.facts
                 ELSE jsonb_strip_nulls(foreign_devices.facts || %(facts)s::jsonb) END,
    device_key = CASE WHEN foreign_devices.facts ->> 'address' <> excluded.facts ->> 'address'
                      THEN excluded.device_key ELSE coalesce(foreign_devices.device_key, excluded.device_key) END,
    sos_actions = CASE WHEN foreign_devices.facts ->> 'address' <> excluded.facts ->> 'address'
                       THEN excluded.sos_actions ELSE coalesce(foreign_devices.sos_actions, excluded.sos_actions) END,
    states = CASE WHEN foreign_devices.facts ->> 'address' <> excluded.facts ->> 'address'
                  THEN '{}' ELSE foreign_devices.states END,
    link_quality = coalesce(excluded.link_quality, foreign_devices.link_quality),
    samples_unmapped = foreign_devices.samples_unmapped + excluded.samples_unmapped,
    last_seen = greatest(foreign_devices.last_seen, excluded.last_seen),
    rejected_at = CASE WHEN foreign_devices.rejected_at > %(now)s - interval '1 hour'
                       THEN foreign_devices.rejected_at
                       ELSE coalesce(excluded.rejected_at, foreign_devices.rejected_at) END
RETURNING id, NOT EXISTS (SELECT FROM before WHERE rejected_at > %(now)s - interval '1 hour') AS due

-- name: drop_stale
DELETE FROM foreign_devices
WHERE gateway_key = %(gateway)s AND device_key IS NULL AND last_seen < %(before)s

-- name: swap_states
-- The states as they were before; the row stays locked until the commit, so that two changes come one after the other.
WITH before AS (SELECT id, states FROM foreign_devices WHERE id = %(id)s FOR UPDATE)
UPDATE foreign_devices f SET states = f.states || %(states)s::jsonb FROM before
WHERE f.id = before.id RETURNING before.states

-- name: claim_message
-- No row for the same words again within the given time; later they are news.
INSERT INTO clock_faults (device_key, digest, received) VALUES (%(device_key)s, %(digest)s, %(received)s)
ON CONFLICT (device_key, digest) DO UPDATE SET received = excluded.received
WHERE clock_faults.received <= excluded.received - make_interval(secs => %(repeat_seconds)s)

-- name: silence_children
-- Of what stands behind a gateway that is gone, nothing is known.
UPDATE device_status SET online = false
WHERE online AND device_key <> %(gateway)s
  AND device_key IN (SELECT device_key FROM foreign_devices
                     WHERE gateway_key = %(gateway)s AND (%(adapter)s::text IS NULL OR adapter = %(adapter)s))

-- name: list
SELECT f.id, g.id AS gateway, f.adapter, f.native_id, f.facts AS facts, f.states, d.id AS device,
       f.sos_actions, f.link_quality, f.samples_unmapped, f.first_seen, f.last_seen
FROM foreign_devices f
JOIN devices g ON g.key = f.gateway_key
LEFT JOIN devices d ON d.key = f.device_key
WHERE f.id > %(after)s
  AND (%(institution)s::uuid IS NULL OR f.institution_id = %(institution)s)
  AND (%(mapped)s::boolean IS NULL OR (f.device_key IS NOT NULL) = %(mapped)s)
  AND (%(gateway)s::text IS NULL OR g.id = %(gateway)s)
ORDER BY f.id LIMIT %(limit)s

-- name: get
SELECT f.id, g.id AS gateway, f.adapter, f.native_id, f.facts AS facts, f.states, d.id AS device,
       f.sos_actions, f.link_quality, f.samples_unmapped, f.first_seen, f.last_seen
FROM foreign_devices f
JOIN devices g ON g.key = f.gateway_key
LEFT JOIN devices d ON d.key = f.device_key
WHERE f.id = %(id)s AND (%(institution)s::uuid IS NULL OR f.institution_id = %(institution)s)

-- name: map
UPDATE foreign_devices f SET device_key = d.key, sos_actions = %(sos_actions)s::text[], states = '{}'
FROM devices d
WHERE f.id = %(id)s AND d.id = %(device)s AND d.institution_id = f.institution_id AND d.retired_at IS NULL
  AND (%(institution)s::uuid IS NULL OR f.institution_id = %(institution)s)

-- name: unmap
UPDATE foreign_devices SET device_key = NULL, sos_actions = NULL, states = '{}'
WHERE id = %(id)s AND device_key IS NOT NULL
  AND (%(institution)s::uuid IS NULL OR institution_id = %(institution)s)
