-- name: terms_outside
-- Terms that an earlier release made a tenant with, and that no entry of the catalog states.
SELECT tenant, currency, zone AS time_zone, fiscal_start_month FROM tenant_terms WHERE entry = ''
