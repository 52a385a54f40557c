-- name: act_for
-- All end with the transaction, so a pooled connection never carries a tenant to its next user. Plans are
-- made for the values at hand (a minute and a month want different ones), a day's sums fit in memory, and the
-- days that people ask for are in the cache. $3 = who makes changes: without it none is made of what is audited. $4 = the
-- team of whoever sees no other; '' = none.
SELECT set_config('app.tenant', $1, true), set_config('app.team', $4, true), set_config('app.actor', $3, true),
    set_config('statement_timeout', $2, true),
    set_config('plan_cache_mode', 'force_custom_plan', true), set_config('work_mem', '32MB', true),
    set_config('random_page_cost', '1.1', true)
