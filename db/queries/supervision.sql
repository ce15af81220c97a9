-- What a regulator counts.

-- name: facilities
SELECT institution_id, title, detail FROM supervision_facilities_at(%(at)s)

-- name: counts
SELECT institution_id, key, numerator, denominator FROM supervision_counts(%(at)s)

-- name: figures
SELECT key, year, numerator, denominator, source, declared_at FROM supervision_figures
WHERE year <= %(year)s ORDER BY key, year DESC

-- name: declare
INSERT INTO supervision_figures (key, year, numerator, denominator, source, declared_by, declared_at)
VALUES (%(key)s, %(year)s, %(numerator)s, %(denominator)s, %(source)s, %(by)s, %(now)s)
ON CONFLICT (key, year) DO UPDATE SET numerator = excluded.numerator, denominator = excluded.denominator,
    source = excluded.source, declared_by = excluded.declared_by, declared_at = excluded.declared_at

-- name: keep_month
INSERT INTO supervision_months (month, institution_id, key, numerator, denominator, written_at)
SELECT %(month)s, institution_id, key, numerator, denominator, %(at)s FROM supervision_counts(%(at)s)
UNION ALL
SELECT %(month)s, f.institution_id, k.key, sum(k.numerator), sum(k.denominator), %(at)s
FROM supervision_facilities_at(%(at)s) f
CROSS JOIN LATERAL (SELECT (f.detail ->> 'beds')::bigint AS beds, f.detail ->> 'run_by' = 'society' AS by_society,
                           f.detail ->> 'quality' AS quality) d
CROSS JOIN LATERAL (VALUES ('nursing_beds', (f.detail ->> 'nursing_beds')::bigint, d.beds),
                           ('beds_government', CASE WHEN d.by_society THEN 0 ELSE d.beds END, d.beds),
                           ('beds_society', CASE WHEN d.by_society THEN d.beds ELSE 0 END, d.beds),
                           ('quality_basic', (d.quality IN ('basic', 'full'))::integer, 1),
                           ('quality_full', (d.quality = 'full')::integer, 1)) AS k (key, numerator, denominator)
WHERE f.detail ->> 'type' = 'institution' GROUP BY f.institution_id, k.key
ON CONFLICT (month, institution_id, key) DO UPDATE SET numerator = excluded.numerator,
    denominator = excluded.denominator, written_at = excluded.written_at

-- name: keep_month_facilities
-- An institution that has no facility any more keeps an empty month.
INSERT INTO supervision_month_facilities (month, institution_id, facilities, written_at)
SELECT %(month)s, i.id, coalesce(jsonb_agg(f.detail) FILTER (WHERE f.detail IS NOT NULL), '[]'), %(at)s
FROM institutions i LEFT JOIN supervision_facilities_at(%(at)s) f ON f.institution_id = i.id GROUP BY i.id
ON CONFLICT (month, institution_id) DO UPDATE SET facilities = excluded.facilities, written_at = excluded.written_at

-- name: trend_facilities
SELECT month, institution_id, facilities FROM supervision_month_facilities
WHERE month >= %(from)s AND month <= %(to)s AND jsonb_array_length(facilities) > 0
ORDER BY month, institution_id

-- name: trend_months
SELECT DISTINCT month FROM supervision_month_facilities WHERE month >= %(from)s AND month <= %(to)s ORDER BY month

-- name: trend_counts
SELECT month, institution_id, key, numerator, denominator FROM supervision_months
WHERE month >= %(from)s AND month <= %(to)s AND key = ANY (%(keys)s)

-- name: months
SELECT month, sum(numerator)::bigint AS numerator, sum(denominator)::bigint AS denominator FROM supervision_months
WHERE key = %(key)s AND month >= %(from)s AND month <= %(to)s
  AND (%(institutions)s::uuid[] IS NULL OR institution_id = ANY (%(institutions)s::uuid[]))
GROUP BY month ORDER BY month

-- name: case
SELECT * FROM supervision_case(%(alert)s, %(cause)s, %(viewer)s, %(viewer_name)s, %(now)s)

-- name: tallies
-- Complaints and incidents of the year.
SELECT kind, topic, level, state, sum(records)::bigint AS records FROM supervision_cases(%(at)s)
WHERE %(institutions)s::uuid[] IS NULL OR institution_id = ANY (%(institutions)s::uuid[])
GROUP BY kind, topic, level, state ORDER BY kind, topic, level, state
