-- What a stay changes beside its own record.

-- name: bound_devices
SELECT b.device_key, d.id FROM bindings b JOIN devices d ON d.key = b.device_key
WHERE b.resident_id = %(resident)s AND b.bound_to IS NULL ORDER BY b.device_key

-- name: open_alerts
SELECT id FROM alerts WHERE resident_id = %(resident)s AND state <> 'resolved' ORDER BY opened_at, id

-- name: end_visits
UPDATE visit_targets SET until = greatest(%(today)s, since)
WHERE resident_id = %(resident)s AND (until IS NULL OR until > %(today)s)

-- name: end_consents
-- After a death: those of `scopes` in any case; all where the person wished that nobody reads on, or only who was named.
UPDATE consents c SET withdrawn_at = %(now)s
WHERE c.resident_id = %(resident)s AND c.withdrawn_at IS NULL
  AND (c.scope = ANY (%(scopes)s::text[]) OR CASE wish_after_death(c.resident_id) WHEN 'nobody' THEN true
       WHEN 'named' THEN NOT EXISTS (SELECT FROM resident_guardians g WHERE g.resident_id = c.resident_id
            AND g.user_id = c.user_id AND g.kind IN ('agreed', 'agent') AND g.ended_at IS NULL) ELSE false END)

-- name: running
SELECT id FROM service_records
WHERE resident_id = %(resident)s AND service = 'institution' AND kind = 'stay' AND NOT final
  AND id IS DISTINCT FROM %(record)s::uuid

-- name: moved_in
-- A bed of the house is where somebody lives from now on; one at home changes nothing of the address.
UPDATE residents SET status = CASE WHEN status IN ('away', 'hospital') THEN status ELSE 'active' END,
    building = coalesce(%(building)s, building), floor = coalesce(%(floor)s, floor), room = coalesce(%(room)s, room),
    version = version + 1, updated_at = %(now)s
WHERE id = %(resident)s

-- name: gone
UPDATE residents SET status = %(status)s, version = version + 1, updated_at = %(now)s WHERE id = %(resident)s

-- name: unfinished_of_gone
-- Running records of people who have left for good: `kinds` are "service/kind/state".
SELECT r.id, r.institution_id, r.service, r.kind, r.state, r.resident_id, r.provider_id, r.worker_id, r.title,
       r.starts_at, r.ends_at, r.due_at, r.price, r.subsidy, r.detail, r.created_by
FROM service_records r JOIN residents p ON p.id = r.resident_id
WHERE NOT r.final AND p.status IN ('discharged', 'deceased')
  AND r.service || '/' || r.kind || '/' || r.state = ANY (%(stands)s)
ORDER BY r.created_at, r.id LIMIT %(limit)s FOR UPDATE OF r SKIP LOCKED
