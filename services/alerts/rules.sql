-- name: changes
-- Who there is, and how often what each is watched by has changed: asked once a second, so that a change takes effect
-- within two, and nothing else is while nothing changes.
SELECT tenant, changes FROM rule_changes JOIN tenants USING (tenant) ORDER BY tenant

-- name: terms
-- In what the tenants $1 count, a row a stretch of time; few, for nobody changes that often.
SELECT tenant, nullif(effective_from, '-infinity') AS effective_from, currency, zone, first_weekday,
    fiscal_start_month
FROM tenant_terms WHERE tenant = ANY ($1::text[])

-- name: alert_rules
-- What the tenants $1 have made of the rules that everybody has, and their own; the first $2 of each.
SELECT * FROM (
    SELECT tenant, rule_id, of, name, filter, settings, severity, enabled, number,
        row_number() OVER (PARTITION BY tenant ORDER BY number) AS place
    FROM alert_rules_in_force WHERE tenant = ANY ($1::text[]) AND NOT removed
) AS r WHERE place <= $2 ORDER BY number

-- name: budgets
-- The budgets of the tenants $1 that are in force; the first $2 of each.
-- One that follows a change of currency is read as both, the old and the new. `own`: what its filter names of the
-- tenant's own dimensions.
SELECT tenant, id, name, filter, amount, currency, period, starts_on, ends_on, last_hours, each, thresholds_percent,
    forecast_thresholds_percent, revision, updated_at, next_from, next_amount, next_currency, place,
    ARRAY(SELECT d.name FROM own_dimensions d WHERE d.tenant = b.tenant AND (b.filter ? d.name OR b.each = d.name)) AS own
FROM (
    SELECT *, row_number() OVER (PARTITION BY tenant ORDER BY created_at, id) AS place
    FROM budgets WHERE tenant = ANY ($1::text[]) AND deleted_at IS NULL
) AS b WHERE place <= $2 ORDER BY created_at, id
