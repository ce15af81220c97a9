-- A resident's timeline: alerts, what people did about them, events and devices, newest first, one list.

-- name: timeline
-- Each branch reads one page at most; `kinds` says which branches are open to the viewer, `event_types` which events.
WITH bound AS (
    SELECT device_key, bound_from, coalesce(bound_to, 'infinity') AS bound_to FROM bindings
    WHERE resident_id = %(resident)s
), entries AS (
    (SELECT a.opened_at AS t, 'alert' AS kind, a.id::text AS id, a.type, a.severity, a.state, '' AS action,
            '' AS actor, '' AS note, NULL::text AS device
     FROM alerts a
     WHERE a.resident_id = %(resident)s AND 'alert' = ANY (%(kinds)s::text[])
       AND (%(before)s::timestamptz IS NULL OR a.opened_at <= %(before)s)
     ORDER BY a.opened_at DESC, a.id DESC LIMIT %(window)s)
    UNION ALL
    (SELECT e.at, 'alert_action', lpad(e.seq::text, 20, '0'), a.type, a.severity, a.state, e.kind, e.actor, e.note, NULL
     FROM alert_entries e JOIN alerts a ON a.id = e.alert_id
     WHERE a.resident_id = %(resident)s AND e.actor_id IS NOT NULL AND 'alert_action' = ANY (%(kinds)s::text[])
       AND (%(before)s::timestamptz IS NULL OR e.at <= %(before)s)
     ORDER BY e.at DESC, e.seq DESC LIMIT %(window)s)
    UNION ALL
    (SELECT v.time, 'event', d.id || ':' || v.event_id, v.type, NULL, NULL, '', '', '', d.id
     FROM events v JOIN bound b ON b.device_key = v.device_key AND v.time >= b.bound_from AND v.time < b.bound_to
     JOIN devices d ON d.key = v.device_key
     WHERE 'event' = ANY (%(kinds)s::text[])
       AND (%(event_types)s::text[] IS NULL OR v.type = ANY (%(event_types)s::text[]))
       AND (%(before)s::timestamptz IS NULL OR v.time <= %(before)s)
     ORDER BY v.time DESC, 3 DESC LIMIT %(window)s)
    UNION ALL
    (SELECT x.t, 'binding', b.id::text || x.action, d.kind, NULL, NULL, x.action, '', '', d.id
     FROM bindings b JOIN devices d ON d.key = b.device_key
     CROSS JOIN LATERAL (VALUES (b.bound_from, 'bound'), (b.bound_to, 'unbound')) AS x (t, action)
     WHERE b.resident_id = %(resident)s AND x.t IS NOT NULL AND 'binding' = ANY (%(kinds)s::text[])
       AND (%(before)s::timestamptz IS NULL OR x.t <= %(before)s)
     ORDER BY x.t DESC, 3 DESC LIMIT %(window)s)
)
SELECT * FROM entries
WHERE (%(before)s::timestamptz IS NULL OR (t, kind, id) < (%(before)s, %(before_kind)s::text, %(before_id)s::text))
ORDER BY t DESC, kind DESC, id DESC LIMIT %(limit)s
