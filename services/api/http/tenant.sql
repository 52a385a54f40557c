-- name: act_for
-- All end with the transaction, so a pooled connection never carries a tenant to its next user. Plans are
-- made for the values at hand (a minute and a month want different ones), a day's sums fit in memory, and the
-- days that people ask for are in the cache.
SELECT set_config('app.tenant', $1, true), set_config('statement_timeout', $2, true),
    set_config('plan_cache_mode', 'force_custom_plan', true), set_config('work_mem', '32MB', true),
    set_config('random_page_cost', '1.1', true)

-- name: tenant
-- What the tenant's amounts and days are in, a row a stretch of time; all null where it has stated nothing.
SELECT t.name, nullif(s.effective_from, '-infinity') AS effective_from, s.currency, s.zone, s.first_weekday,
    s.fiscal_start_month
FROM tenants t LEFT JOIN tenant_terms s USING (tenant) WHERE t.tenant = $1

-- name: tenants
-- All of them, and in what they count now, for operators and for upkeep.
SELECT tenant, name, currency, zone FROM all_tenants()

-- name: live_keys
-- The stored halves of all keys that open anything.
SELECT key_id, tenant, secret_sha256, scopes, expires_at FROM live_keys()

-- name: live_sessions
-- Those of the portal that are not over.
SELECT token_sha256, key_id, expires_at FROM live_sessions()

-- name: open_session
-- $1 = hash of the token, $2 = key, $3 = how long, $4 = how many a key may have.
SELECT open_session($1, $2, $3, $4)

-- name: close_session
-- $1 = hash of the token.
SELECT close_session($1)
