-- What work achieved, said apart from what it used; and runs told apart by what their receipt shows.
-- depends: 0031_minutes_let_go

-- migrate: apply

-- Outcomes, verdicts on them and their reversals, as they lie on usage.outcomes: of one identity the first. `target`:
-- the identity of the earlier one that a verdict or a reversal is about, an outcome here or a usage event that states
-- one; it may come later than what is about it, or never. currency '' = it states no value, so that is unknown.
-- `labels`: those that are no column. Nothing here is ever changed: what became of an outcome is worked out from the
-- rows about it (docs/outcomes.md).
CREATE TABLE outcomes (
    identity bytea PRIMARY KEY,
    tenant text NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    key_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('outcome', 'verdict', 'reversal')),
    target bytea CHECK ((target IS NULL) = (kind = 'outcome')),
    name text NOT NULL CHECK ((name = '') = (kind <> 'outcome')),
    count numeric NOT NULL,
    value numeric NOT NULL,
    currency text NOT NULL,
    accepted boolean,
    run text NOT NULL,
    workflow text NOT NULL,
    workflow_version text NOT NULL,
    labels jsonb NOT NULL,
    hash bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    received_at timestamptz,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outcomes_run ON outcomes (tenant, run) WHERE run <> '';
CREATE INDEX outcomes_target ON outcomes (target) WHERE target IS NOT NULL;
CREATE INDEX outcomes_tenant ON outcomes (tenant, occurred_at);

-- What came on usage.outcomes and is not kept: another one has its identity already, or it breaks a rule of the
-- contract. tenant '' = it names none that could be read.
CREATE TABLE outcome_faults (
    topic text NOT NULL,
    origin_offset bigint NOT NULL,
    fault text NOT NULL CHECK (fault IN ('conflict', 'rejected')),
    tenant text NOT NULL,
    identity bytea,
    source text NOT NULL,
    event_id text NOT NULL,
    key_id text NOT NULL,
    reason text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic, origin_offset)
);
CREATE INDEX outcome_faults_tenant ON outcome_faults (tenant, recorded_at);

-- How far usage.outcomes is kept: moved from the sought value by the transaction that keeps what lies before it. Every
-- offset is one of these; holes are what Kafka itself put there.
CREATE TABLE outcome_position (
    alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
    topic text NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    kept bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    conflict bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    holes bigint NOT NULL DEFAULT 0,
    CHECK (position = kept + duplicate + conflict + rejected + holes)
) WITH (fillfactor = 20);

-- Both are made again from the book. A row of runs is now of one agent, model and end of a call, with its latency: the
-- greatest is of all entries, like the times. A row of run_outcomes is what one usage event states, so that a verdict
-- can be about it.
DELETE FROM projection_marks WHERE projection IN ('runs', 'run_outcomes');
TRUNCATE runs, run_outcomes;
ALTER TABLE runs
    ADD COLUMN agent text NOT NULL,
    ADD COLUMN provider text NOT NULL,
    ADD COLUMN sku text NOT NULL,
    ADD COLUMN call_status text NOT NULL,
    ADD COLUMN timed_events bigint NOT NULL,
    ADD COLUMN latency_ms numeric NOT NULL,
    ADD COLUMN latency_ms_max bigint NOT NULL,
    DROP CONSTRAINT runs_pkey,
    ADD PRIMARY KEY (tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku, call_status);
ALTER TABLE run_outcomes
    ADD COLUMN identity bytea NOT NULL,
    ADD COLUMN at timestamptz NOT NULL,
    DROP CONSTRAINT run_outcomes_pkey,
    ADD PRIMARY KEY (tenant, run, identity, outcome_id);

-- migrate: rollback

DELETE FROM projection_marks WHERE projection IN ('runs', 'run_outcomes');
TRUNCATE runs, run_outcomes;
ALTER TABLE run_outcomes
    DROP CONSTRAINT run_outcomes_pkey,
    DROP COLUMN identity,
    DROP COLUMN at,
    ADD PRIMARY KEY (tenant, run, outcome_id);
ALTER TABLE runs
    DROP CONSTRAINT runs_pkey,
    DROP COLUMN agent,
    DROP COLUMN provider,
    DROP COLUMN sku,
    DROP COLUMN call_status,
    DROP COLUMN timed_events,
    DROP COLUMN latency_ms,
    DROP COLUMN latency_ms_max,
    ADD PRIMARY KEY (tenant, run, workflow, workflow_version, cost_class, currency);
DROP TABLE outcome_position, outcome_faults, outcomes;
