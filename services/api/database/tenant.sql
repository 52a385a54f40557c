-- name: tenant
-- What the tenant's amounts and days are in, a row a stretch of time; all null where it has stated nothing.
SELECT t.name, nullif(s.effective_from, '-infinity') AS effective_from, s.currency, s.zone, s.first_weekday,
    s.fiscal_start_month
FROM tenants t LEFT JOIN tenant_terms s USING (tenant) WHERE t.tenant = $1

-- name: tenants
-- All of them, and in what they count now, for operators and for upkeep.
SELECT tenant, name, currency, zone FROM all_tenants()
