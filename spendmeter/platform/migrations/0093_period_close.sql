-- Accounting periods that are closed, and what was booked of them since: in the next open one.
-- depends: 0085_invoices 0087_moments

-- migrate: apply

-- Act by act: a tenant's month is closed for the `number`th time, or was. From the commit of this row on nothing more is
-- booked in the period or in one before it, until the row says that it was reopened (docs/decisions/period-close.md).
CREATE TABLE period_closings (
    tenant text NOT NULL,
    period date NOT NULL CHECK (extract(day FROM period) = 1),
    number int NOT NULL CHECK (number > 0),
    note text NOT NULL CHECK (length(note) <= 500),
    closed_by text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    reopened_by text,
    reopened_at timestamptz,
    reopen_reason text CHECK (length(reopen_reason) BETWEEN 1 AND 500),
    PRIMARY KEY (tenant, period, number),
    CHECK ((reopened_at IS NULL) = (reopened_by IS NULL) AND (reopened_at IS NULL) = (reopen_reason IS NULL))
);
CREATE UNIQUE INDEX period_closings_in_force ON period_closings (tenant, period) WHERE reopened_at IS NULL;

-- How far the corrector is with a closing. barrier: transactions before it may not know of the closing; when all of them
-- are over the period is closed. moment: the first of the book's moments that holds all that the period has.
CREATE TABLE closed_periods (
    tenant text NOT NULL,
    period date NOT NULL,
    number int NOT NULL,
    barrier xid8 NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    moment timestamptz,
    PRIMARY KEY (tenant, period, number),
    CHECK (moment IS NULL OR closed_at IS NOT NULL)
);
CREATE INDEX closed_periods_under_way ON closed_periods (tenant) WHERE moment IS NULL;

-- What a period had when it was closed, by currency.
CREATE TABLE closing_sums (
    tenant text NOT NULL,
    period date NOT NULL,
    number int NOT NULL,
    currency text NOT NULL,
    events bigint NOT NULL,
    list numeric NOT NULL,
    contracted numeric NOT NULL,
    effective numeric NOT NULL,
    PRIMARY KEY (tenant, period, number, currency)
);

-- Sums of what one booking put into another accounting period than that of its day (`bucket`: where the tenant's day
-- begins), reversals with their sign. Rows are added and never changed, so a period's statement is the sum of its days
-- without what was carried out of them, and what was carried in. next_offset: of `partition` (the corrector is -1), behind
-- the booking, as in `moments`. `corrected`: what of `effective` corrections are.
CREATE TABLE carried (
    tenant text NOT NULL,
    accounting_period date NOT NULL,
    bucket timestamptz NOT NULL,
    series_id bytea NOT NULL,
    currency text NOT NULL,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    events bigint NOT NULL,
    unpriced_events bigint NOT NULL,
    list numeric NOT NULL,
    contracted numeric NOT NULL,
    effective numeric NOT NULL,
    of_which_provisional numeric NOT NULL,
    corrected numeric NOT NULL,
    usage jsonb NOT NULL,
    PRIMARY KEY (tenant, bucket, accounting_period, series_id, currency, partition, next_offset, recorded_at)
);
CREATE INDEX carried_into ON carried (tenant, accounting_period);

-- migrate: rollback

DROP TABLE carried, closing_sums, closed_periods, period_closings;
