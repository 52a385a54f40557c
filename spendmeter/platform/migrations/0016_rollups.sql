-- Rollups above the minute: five minutes, and hours and days of the tenant's calendar.
-- depends: 0015_remarks_by_money

-- migrate: apply

-- The commonest units in columns of their own, the rest in `usage`: a layout, not a meaning. What was rolled up
-- before has all of them in `usage`, so a quantity is the sum of both.
ALTER TABLE rollups_minute
    ALTER usage DROP NOT NULL,
    ADD input_tokens numeric, ADD output_tokens numeric, ADD cache_read_tokens numeric,
    ADD cache_write_5m_tokens numeric, ADD cache_write_1h_tokens numeric, ADD reasoning_tokens numeric,
    ADD input_audio_tokens numeric, ADD output_audio_tokens numeric;

-- Sums over shards and days of recording. part 0 = made anew from the rollups that it is made of; a correction
-- adds to part -1, which is never made anew.
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
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric, reasoning_tokens numeric, input_audio_tokens numeric, output_audio_tokens numeric,
    usage jsonb,
    PRIMARY KEY (tenant, size, bucket, series_id, part, currency)
) WITH (fillfactor = 80);

-- Buckets that have changed since they were last made, written with what changed them: nobody may read a rollup of
-- a bucket that stands here, nor one that it is part of. series_id null = any series may have changed.
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
UPDATE rollups_minute SET usage = usage_sum(coalesce(usage, '{}'), jsonb_strip_nulls(jsonb_build_object(
    'input_tokens', input_tokens, 'output_tokens', output_tokens, 'cache_read_tokens', cache_read_tokens,
    'cache_write_5m_tokens', cache_write_5m_tokens, 'cache_write_1h_tokens', cache_write_1h_tokens,
    'reasoning_tokens', reasoning_tokens, 'input_audio_tokens', input_audio_tokens,
    'output_audio_tokens', output_audio_tokens)));
ALTER TABLE rollups_minute
    ALTER usage SET NOT NULL,
    DROP input_tokens, DROP output_tokens, DROP cache_read_tokens, DROP cache_write_5m_tokens,
    DROP cache_write_1h_tokens, DROP reasoning_tokens, DROP input_audio_tokens, DROP output_audio_tokens;
