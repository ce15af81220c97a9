-- Response figures: one row for each institution, month, shift, type and urgency, to be added up by whoever asks.

-- name: counts
SELECT * FROM alert_kpi_counts(%(from)s, %(to)s, %(now)s, %(zone)s, %(starts)s::time[], %(shifts)s::text[])

-- name: days
-- Nobody is cared for in the future: an interval that reaches beyond now ends now.
SELECT * FROM alert_kpi_days(%(from)s, least(%(to)s, greatest(%(now)s, %(from)s)), %(zone)s)
