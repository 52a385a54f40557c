-- name: timelines
-- In which calendar each tenant counts.
SELECT tenant, nullif(effective_from, '-infinity') AS effective_from, currency, zone, first_weekday,
    fiscal_start_month
FROM tenant_terms WHERE tenant = ANY ($1::text[]) ORDER BY tenant, effective_from
