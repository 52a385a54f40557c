-- Rollups above the minute: five minutes, and hours and days of the tenant's calendar.
-- depends: 0015_remarks_by_money

-- migrate: apply

-- Sums over shards and days of recording. part 0 = made from the rollups below it, again whenever these change; a
-- correction adds to part -1, which is never made again.
CREATE TABLE rollups (
    tenant text NOT NULL,
    size text NOT NULL CHECK (size IN ('five_minutes', 'hour', 'day')),
    bucket timestamptz NOT NULL,
    series_id bytea NOT NULL,
    part smallint NOT NULL DEFAULT 0,
    currency text NOT NULL,
    events bigint NOT NULL,
    unpriced_events bigint NOT NULL,
    list numeric NOT NULL,
    contracted numeric NOT NULL,
    effective numeric NOT NULL,
    of_which_provisional numeric NOT NULL,
    usage jsonb NOT NULL,
    PRIMARY KEY (tenant, size, bucket, series_id, part, currency)
) WITH (fillfactor = 80);

-- Buckets that have changed since they were last made, written by the transaction that changed them. Nobody reads a
-- rollup of a bucket that stands here, nor one that the bucket is part of. series_id null = any series may have
-- changed.
CREATE TABLE touched (
    tenant text NOT NULL,
    size text NOT NULL CHECK (size IN ('five_minutes', 'hour', 'day')),
    bucket timestamptz NOT NULL,
    series_id bytea
);
CREATE INDEX touched_bucket ON touched (tenant, size, bucket);

-- The book's sums of one tenant: of each piece (size, since, until) the rollups of that size whose buckets begin in
-- [since, until). Which pieces make up a question, spendmeter/book says.
CREATE FUNCTION spent(of_tenant text, sizes text[], since timestamptz[], until timestamptz[])
RETURNS TABLE (bucket timestamptz, series_id bytea, currency text, events bigint, unpriced_events bigint, list numeric,
    contracted numeric, effective numeric, of_which_provisional numeric, usage jsonb)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.* FROM unnest(sizes, since, until) AS piece (size, since, until) CROSS JOIN LATERAL (
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage
        FROM rollups
        WHERE tenant = of_tenant AND size = piece.size AND bucket >= piece.since AND bucket < piece.until
        UNION ALL
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage
        FROM rollups_minute
        WHERE piece.size = 'minute' AND tenant = of_tenant AND bucket >= piece.since AND bucket < piece.until
    ) AS r
$$;

-- What is in the book already is to be rolled up.
INSERT INTO touched (tenant, size, bucket)
SELECT DISTINCT tenant, 'five_minutes', date_bin('5 minutes', bucket, 'epoch') FROM rollups_minute;

-- migrate: rollback

DROP FUNCTION spent(text, text[], timestamptz[], timestamptz[]);
DROP TABLE touched, rollups;
