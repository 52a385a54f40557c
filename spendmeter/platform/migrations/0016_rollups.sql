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

-- What is in the book already is to be rolled up.
INSERT INTO touched (tenant, size, bucket)
SELECT DISTINCT tenant, 'five_minutes', date_bin('5 minutes', bucket, 'epoch') FROM rollups_minute;

-- migrate: rollback

DROP TABLE touched, rollups;
