-- name: tenants
-- Who is watched.
SELECT tenant FROM tenants ORDER BY tenant LIMIT $1

-- name: terms
-- In what each tenant counts, a row a stretch of time; few, for nobody changes that often.
SELECT tenant, nullif(effective_from, '-infinity') AS effective_from, currency, zone, first_weekday,
    fiscal_start_month
FROM tenant_terms

-- name: alert_rules_changed
-- Tells whether any tenant has changed a rule since.
SELECT count(*)::bigint, coalesce(max(number), 0) AS newest FROM alert_rules

-- name: alert_rules
-- What tenants have made of the rules that everybody has, and their own.
SELECT tenant, rule_id, of, name, filter, settings, severity, enabled, number FROM alert_rules_in_force
WHERE NOT removed ORDER BY number LIMIT $1

-- name: budgets
-- Every budget that is in force: read whole each second, so that a change takes effect within two.
-- One that follows a change of currency is read as both, the old and the new. `own`: what its filter names of the
-- tenant's own dimensions.
SELECT tenant, id, name, filter, amount, currency, period, thresholds_percent, forecast_thresholds_percent,
    revision, updated_at, next_from, next_amount, next_currency,
    ARRAY(SELECT d.name FROM own_dimensions d WHERE d.tenant = b.tenant AND b.filter ? d.name) AS own
FROM budgets b WHERE deleted_at IS NULL ORDER BY created_at LIMIT $1
