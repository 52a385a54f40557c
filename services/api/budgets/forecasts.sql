-- name: latest
-- The newest forecast of each budget's open period; $1 null = of all, else of that one. The revision that it is of: one
-- that was changed since has none.
SELECT budget_id, revision, cut_off, period_start, period_end, spent, run_rate, p10, p50, p90, exhausted_at, armed, why
FROM latest_forecasts WHERE ($1::uuid IS NULL OR budget_id = $1) AND now() < period_end

-- name: kept
-- Forecasts that were kept of budget $1's periods that are over, while it was of filter $2 in currency $3: those that
-- could alarm, of the last $4 periods.
SELECT period_start, period_end, p10, p50, p90 FROM forecasts
WHERE budget_id = $1 AND filter = $2 AND currency = $3 AND armed AND period_start IN (
    SELECT DISTINCT period_start FROM forecasts
    WHERE budget_id = $1 AND filter = $2 AND currency = $3 AND armed AND period_end <= now()
    ORDER BY period_start DESC LIMIT $4
)
ORDER BY period_start, day
