-- What each run cost by day, and what workflows came to by the day: what versions of one are compared by.
-- depends: 0061_workflows

-- migrate: apply

-- Of events that name a run or a workflow, by UTC day; run '' = they name none. calls: those of classes that are called
-- (no labour, hardware, licence); failed of them those whose status is stated and not ok. Amounts are effective: `ai` of
-- class model, `human` of labour, `adjacent` of all others. Times are those of all its entries.
CREATE TABLE run_days (
    tenant text NOT NULL,
    day date NOT NULL,
    run text NOT NULL,
    workflow text NOT NULL,
    workflow_version text NOT NULL,
    team text NOT NULL,
    currency text NOT NULL,
    events bigint NOT NULL,
    unpriced_events bigint NOT NULL,
    calls bigint NOT NULL,
    failed_calls bigint NOT NULL,
    ai numeric NOT NULL,
    human numeric NOT NULL,
    adjacent numeric NOT NULL,
    of_which_provisional numeric NOT NULL,
    labour_hours numeric NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, day, run, workflow, workflow_version, team, currency)
) WITH (fillfactor = 70);
CREATE INDEX run_days_run ON run_days (tenant, run, day) WHERE run <> '';
CREATE INDEX run_outcomes_identity ON run_outcomes (identity);

-- Runs of which something has changed, by the day of it, written by the transaction that changed it.
CREATE TABLE run_days_due (
    tenant text NOT NULL,
    day date NOT NULL,
    run text NOT NULL
);

-- Days whose moments are to be made again.
CREATE TABLE workflow_days_due (
    tenant text NOT NULL,
    day date NOT NULL,
    PRIMARY KEY (tenant, day)
);

-- Moments: what the runs of a version came to, a run wholly on the last day on which it did something. A run in two
-- currencies is counted, with its calls and times, where it has most events. without_run: the part of the amounts that
-- names the workflow and no run. cycle: of runs that state an outcome, from their first event to that.
CREATE TABLE workflow_days (
    tenant text NOT NULL,
    workflow text NOT NULL,
    workflow_version text NOT NULL,
    day date NOT NULL,
    team text NOT NULL,
    currency text NOT NULL,
    runs bigint NOT NULL,
    events bigint NOT NULL,
    unpriced_events bigint NOT NULL,
    calls bigint NOT NULL,
    failed_calls bigint NOT NULL,
    ai numeric NOT NULL,
    human numeric NOT NULL,
    adjacent numeric NOT NULL,
    without_run numeric NOT NULL,
    of_which_provisional numeric NOT NULL,
    labour_hours numeric NOT NULL,
    cycle_runs bigint NOT NULL,
    cycle_s numeric NOT NULL,
    PRIMARY KEY (tenant, workflow, workflow_version, day, team, currency)
);
CREATE INDEX workflow_days_day ON workflow_days (tenant, day);

-- What became of their outcomes, as steps: `lag` days after the run's day so much was added, so that the sum up to a lag
-- is how it stood then, whatever window a tenant sets. currency '' = these state no value. value_gone: of those refused or
-- reversed. runs_accepted, runs_alive: runs with an outcome of the name that is accepted, that nobody refused or reversed.
CREATE TABLE workflow_outcome_days (
    tenant text NOT NULL,
    workflow text NOT NULL,
    workflow_version text NOT NULL,
    day date NOT NULL,
    team text NOT NULL,
    name text NOT NULL,
    currency text NOT NULL,
    lag int NOT NULL CHECK (lag >= 0),
    outcomes numeric NOT NULL,
    accepted numeric NOT NULL,
    refused numeric NOT NULL,
    reversed numeric NOT NULL,
    value numeric NOT NULL,
    value_accepted numeric NOT NULL,
    value_gone numeric NOT NULL,
    runs_accepted bigint NOT NULL,
    runs_alive bigint NOT NULL
);
CREATE INDEX workflow_outcome_days_version ON workflow_outcome_days (tenant, workflow, workflow_version, day);
CREATE INDEX workflow_outcome_days_day ON workflow_outcome_days (tenant, day);

-- The dearest runs of each day, at least 20 and 5 %, at most 1,000, each with its part of both tables above: to say what
-- figures are without the top 1 %. `outcomes`: rows of workflow_outcome_days, as a list of objects.
CREATE TABLE workflow_dear_runs (
    tenant text NOT NULL,
    workflow text NOT NULL,
    workflow_version text NOT NULL,
    day date NOT NULL,
    currency text NOT NULL,
    run text NOT NULL,
    team text NOT NULL,
    cost numeric NOT NULL,
    calls bigint NOT NULL,
    ai numeric NOT NULL,
    human numeric NOT NULL,
    adjacent numeric NOT NULL,
    labour_hours numeric NOT NULL,
    outcomes jsonb NOT NULL,
    PRIMARY KEY (tenant, workflow, workflow_version, day, currency, run)
);
CREATE INDEX workflow_dear_runs_day ON workflow_dear_runs (tenant, day);
CREATE INDEX workflow_dear_runs_cost ON workflow_dear_runs (tenant, workflow, workflow_version, currency, cost DESC);

-- migrate: rollback

DROP TABLE workflow_dear_runs, workflow_outcome_days, workflow_days, workflow_days_due, run_days_due, run_days;
DROP INDEX run_outcomes_identity;
DELETE FROM projection_marks WHERE projection = 'run_days';
