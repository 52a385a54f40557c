-- What a budget's period will have come to is told, kept as it was told, and held against thresholds.
-- depends: 0047_alert_rules

-- migrate: apply

-- Percentages of the amount: told once the middle of the forecast reaches one. None for budgets of before.
ALTER TABLE budgets ADD COLUMN forecast_thresholds_percent numeric(8, 4)[] NOT NULL DEFAULT '{}'
    CHECK (cardinality(forecast_thresholds_percent) <= 10 AND 0 < ALL (forecast_thresholds_percent));

-- The first forecast of each local day, for ever as it was made: how good they are is told from these alone.
-- cut_off: up to when spend was known; amount: the budget's; why: why it may not alarm, '' = it may.
CREATE TABLE forecasts (
    tenant text NOT NULL,
    budget_id uuid NOT NULL,
    revision int NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL CHECK (period_end > period_start),
    day date NOT NULL,
    cut_off timestamptz NOT NULL,
    filter jsonb NOT NULL CHECK (jsonb_typeof(filter) = 'object'),
    amount numeric NOT NULL CHECK (amount > 0),
    currency text NOT NULL,
    spent numeric NOT NULL,
    run_rate numeric,
    p10 numeric,
    p50 numeric,
    p90 numeric,
    armed boolean NOT NULL,
    why text NOT NULL,
    exhausted_at timestamptz,
    made_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, budget_id, revision, period_start, day),
    CONSTRAINT forecasts_order CHECK (spent <= p10 AND p10 <= p50 AND p50 <= p90),
    CONSTRAINT forecasts_whole CHECK (num_nulls(p10, p50, p90) IN (0, 3)),
    CONSTRAINT forecasts_armed CHECK (armed = (why = '') AND (p50 IS NOT NULL OR NOT armed))
);

-- Of each budget the newest one, an hour old at most.
CREATE TABLE latest_forecasts (
    LIKE forecasts INCLUDING DEFAULTS INCLUDING CONSTRAINTS,
    PRIMARY KEY (tenant, budget_id)
);

CREATE INDEX incidents_forecast ON incidents (tenant, period_end) WHERE kind = 'forecast';

-- migrate: rollback

DROP INDEX incidents_forecast;
DROP TABLE latest_forecasts;
DROP TABLE forecasts;
ALTER TABLE budgets DROP COLUMN forecast_thresholds_percent;
