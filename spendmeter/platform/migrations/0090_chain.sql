-- The chain of days: what each tenant's entries of a day came to, hashed, each day with the one before it.
-- depends: 0087_moments 0088_by_month

-- migrate: apply

-- One row a tenant and day (of UTC, by recorded_on) with entries, once the day is closed. How link and root are made:
-- spendmeter/contracts/chain.py. Nobody may change a row; the same lies on ledger.roots. closed_in: what was written into
-- such a day by a later transaction was not there when it was closed.
CREATE TABLE chain_days (
    tenant text NOT NULL,
    day date NOT NULL,
    epoch int NOT NULL CHECK (epoch > 0),
    previous_day date CHECK (previous_day < day),
    previous text NOT NULL CHECK ((previous = '') = (previous_day IS NULL)),
    leaves bigint NOT NULL CHECK (leaves > 0),
    sums jsonb NOT NULL,
    link text NOT NULL,
    root text NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT now(),
    closed_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (tenant, day)
);
CREATE INDEX chain_days_day ON chain_days (day, tenant);

-- Somebody said that the book was put back to an earlier state: what ledger.roots says of days after stands_through, in
-- earlier epochs, is of a book that is lost.
CREATE TABLE chain_put_backs (
    epoch int PRIMARY KEY CHECK (epoch > 1),
    stands_through date,
    began_at timestamptz NOT NULL DEFAULT now(),
    by text NOT NULL,
    reason text NOT NULL CHECK (reason <> '')
);

-- How far days are closed. Whatever is booked after `closing_through` was committed is recorded on a later day; whoever may
-- not know it has ended once the oldest transaction is not before `barrier`. Then day after day is hashed: of `day`, what
-- was recorded before hashed_before, so far. Of ledger.roots (`topic`: its id) what lies before next_offset is in chain_days, and days up to
-- published_through are there, and it speaks of epochs up to
-- epoch_seen. contradicted: what of it says otherwise than the book; refused: what would, if the next day were closed.
CREATE TABLE chain_progress (
    alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
    closing_through date,
    barrier xid8,
    closed_through date,
    day date,
    hashed_before timestamptz,
    topic text NOT NULL DEFAULT '',
    next_offset bigint NOT NULL DEFAULT 0,
    published_through date,
    published_epoch int NOT NULL DEFAULT 1,
    epoch_seen int NOT NULL DEFAULT 1,
    contradicted text NOT NULL DEFAULT '',
    refused text NOT NULL DEFAULT '',
    CHECK ((day IS NULL) = (hashed_before IS NULL)),
    CHECK (closed_through <= closing_through)
) WITH (fillfactor = 20);
INSERT INTO chain_progress DEFAULT VALUES;

-- The day that is being hashed, as far as it is: of each tenant the link of its last leaf, and sums.
CREATE TABLE chain_open (
    tenant text PRIMARY KEY,
    link text NOT NULL,
    leaves bigint NOT NULL,
    sums jsonb NOT NULL
) WITH (fillfactor = 50);

-- The entries of a day, in the order in which they were recorded: read once, some seconds at a time.
CREATE INDEX entries_recorded_on ON entries USING brin (recorded_on, recorded_at) WITH (autosummarize = on);

-- No entry is recorded on an earlier day than this; null = on any. For a statement after one that has made its transaction
-- known to others, by what it wrote or locked: whoever closes days waits for all who may not see it.
CREATE FUNCTION first_open_day() RETURNS date LANGUAGE sql STABLE AS $$
    SELECT closing_through + 1 FROM chain_progress
$$;

-- migrate: rollback

DROP FUNCTION first_open_day();
DROP INDEX entries_recorded_on;
DROP TABLE chain_open, chain_progress, chain_put_backs, chain_days;
