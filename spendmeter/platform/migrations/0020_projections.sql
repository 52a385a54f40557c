-- Projections: what is folded from the entries, in the order of the book, into tables of its own.
-- depends: 0022_unbooked

-- migrate: apply

-- Where a partition stood when its topic was created anew and counted from 0 again: an account that is closed. What was
-- recorded before it ended belongs to it. Written by an operator (docs/stopped-line.md), as the row of positions goes.
CREATE TABLE closed_accounts (
    partition int NOT NULL,
    ended_at timestamptz NOT NULL DEFAULT now(),
    next_origin bigint NOT NULL,
    PRIMARY KEY (partition, ended_at)
);

-- How far each projection has folded each partition of the book; -1 is the corrector's. account: how many of the
-- partition were closed before it. Moved from the sought value by the transaction that adds what lies before it. A
-- projection without a row begins at the beginning.
CREATE TABLE projection_marks (
    projection text NOT NULL,
    partition int NOT NULL,
    account int NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (projection, partition, account)
) WITH (fillfactor = 20);

-- What was used and what it cost, by all that prices are told apart by. An event has a line in the cell of each of its
-- units, so `events` of units are not to be added up: each event counts once where unit = ''. There stands also what its
-- lines leave of its amounts, mostly nothing: amounts of all cells are those of the entries. status is the line's,
-- and where unit = '' the event's; of unpriced ones the amounts are unknown, not nothing. Tier, region and batch as
-- events state them. entry: the price entry, which also says the context band; reason says why there is none; factors:
-- the entries that it was multiplied by. Corrections subtract, so a row may come to nothing and stays.
CREATE TABLE cells (
    tenant text NOT NULL,
    day date NOT NULL,
    cell_id bytea NOT NULL,
    series_id bytea NOT NULL,
    tier text NOT NULL,
    region text NOT NULL,
    batch boolean NOT NULL,
    currency text NOT NULL,
    unit text NOT NULL,
    status text NOT NULL,
    entry text NOT NULL,
    factors text NOT NULL,
    contracted_entry text NOT NULL,
    reason text NOT NULL,
    priced_in text NOT NULL,
    contracted_in text NOT NULL,
    events bigint NOT NULL,
    quantity numeric NOT NULL,
    list_priced numeric NOT NULL,
    contracted_priced numeric NOT NULL,
    effective_priced numeric NOT NULL,
    list numeric NOT NULL,
    contracted numeric NOT NULL,
    effective numeric NOT NULL,
    PRIMARY KEY (tenant, day, cell_id)
) WITH (fillfactor = 70);

-- What each run cost, by workflow and class. What names no run is not here. Times are those of all its events: a
-- retraction takes amounts back, and never shortens them.
CREATE TABLE runs (
    tenant text NOT NULL,
    run text NOT NULL CHECK (run <> ''),
    workflow text NOT NULL,
    workflow_version text NOT NULL,
    cost_class text NOT NULL,
    currency text NOT NULL,
    events bigint NOT NULL,
    unpriced_events bigint NOT NULL,
    list numeric NOT NULL,
    contracted numeric NOT NULL,
    effective numeric NOT NULL,
    of_which_provisional numeric NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, run, workflow, workflow_version, cost_class, currency)
) WITH (fillfactor = 70);
CREATE INDEX runs_last ON runs (tenant, last_at);

-- What runs achieved, in their callers' own terms. currency '' = these events state no value, so it is unknown.
CREATE TABLE run_outcomes (
    tenant text NOT NULL,
    run text NOT NULL CHECK (run <> ''),
    outcome_id bytea NOT NULL,
    workflow text NOT NULL,
    workflow_version text NOT NULL,
    name text NOT NULL,
    currency text NOT NULL,
    events bigint NOT NULL,
    count numeric NOT NULL,
    value numeric NOT NULL,
    PRIMARY KEY (tenant, run, outcome_id)
) WITH (fillfactor = 70);

-- migrate: rollback

DROP TABLE run_outcomes, runs, cells, projection_marks, closed_accounts;
