-- What each watched scope of a tenant came to in each hour: what a level's watch reads, however many series there are.
-- depends: 0045_budget_requests 0053_silence

-- migrate: apply

-- Live spend alone: what accrues by the hour, and what bills say, is not in it. bucket: an hour of the tenant's calendar,
-- as in rollups. dimension 'tenant' has value '' and is all of it; of any other dimension value '' is what its values
-- beyond the largest came to together. provider and sku are '' together for skus beyond the largest.
CREATE TABLE scope_hours (
    tenant text NOT NULL,
    bucket timestamptz NOT NULL,
    dimension text NOT NULL,
    value text NOT NULL,
    provider text NOT NULL,
    sku text NOT NULL,
    currency text NOT NULL,
    events bigint NOT NULL,
    unpriced_events bigint NOT NULL,
    effective numeric NOT NULL,
    of_which_provisional numeric NOT NULL,
    input_tokens numeric,
    output_tokens numeric,
    cache_read_tokens numeric,
    cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric,
    reasoning_tokens numeric,
    embedding_tokens numeric,
    requests numeric,
    searches numeric,
    PRIMARY KEY (tenant, bucket, dimension, value, provider, sku, currency)
);

-- Hours that have changed since their scopes were added up, written by the transaction that changed them.
CREATE TABLE scope_hours_due (
    tenant text NOT NULL,
    bucket timestamptz NOT NULL,
    marked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX scope_hours_due_bucket ON scope_hours_due (tenant, bucket);

-- Whose hours are to be added up still that no mark says so of: those before `until`, a day at a time, the newest first.
-- At first of those from before a ledger marked any, whenever that is.
CREATE TABLE scope_hours_missing (
    tenant text PRIMARY KEY,
    until timestamptz NOT NULL
);
INSERT INTO scope_hours_missing SELECT tenant, 'infinity' FROM tenants;

-- migrate: rollback

DROP TABLE scope_hours_missing;
DROP TABLE scope_hours_due;
DROP TABLE scope_hours;
