-- name: keep
-- The first forecast of a local day, as it was made: a later one of that day changes nothing.
INSERT INTO forecasts SELECT (jsonb_populate_record(NULL::forecasts, $1 || jsonb_build_object('made_at', now()))).*
ON CONFLICT DO NOTHING

-- name: show
-- The newest of a budget.
INSERT INTO latest_forecasts AS f
SELECT (jsonb_populate_record(NULL::latest_forecasts, $1 || jsonb_build_object('made_at', now()))).*
ON CONFLICT (tenant, budget_id) DO UPDATE SET revision = excluded.revision, period_start = excluded.period_start,
    period_end = excluded.period_end, day = excluded.day, cut_off = excluded.cut_off, filter = excluded.filter,
    amount = excluded.amount, currency = excluded.currency, spent = excluded.spent, run_rate = excluded.run_rate,
    p10 = excluded.p10, p50 = excluded.p50, p90 = excluded.p90, armed = excluded.armed, why = excluded.why,
    exhausted_at = excluded.exhausted_at, made_at = excluded.made_at
WHERE f.cut_off <= excluded.cut_off

-- name: told
-- Of each budget's periods that are not over the highest threshold whose forecast was told.
SELECT rule_id, rule_revision, period_start, max(threshold_percent) AS threshold_percent FROM incidents
WHERE tenant = $1 AND kind = 'forecast' AND period_end > $2 GROUP BY rule_id, rule_revision, period_start
