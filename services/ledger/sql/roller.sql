-- name: alone
-- Whether this transaction alone rolls up: where several workers run, one of them does.
SELECT pg_try_advisory_xact_lock(hashtext('spendmeter.rollups'))

-- name: due
-- Touched buckets of a size that begin by $2, the newest first: people look at those.
SELECT tenant, bucket FROM touched WHERE size = $1 AND bucket <= $2
GROUP BY tenant, bucket ORDER BY bucket DESC LIMIT $3

-- part: taken
-- The marks on buckets of tenant $1 and size $2 that begin at $3 and end at $4, as far as this snapshot sees them;
-- they go. $5 = the larger bucket that each is part of.
WITH taken AS (
    DELETE FROM touched WHERE tenant = $1 AND size = $2 AND bucket = ANY ($3::timestamptz[])
    RETURNING bucket, series_id
), marked AS (
    SELECT bucket, until, larger, whole, series
    FROM (
        SELECT bucket, bool_or(series_id IS NULL) AS whole, array_agg(DISTINCT series_id) AS series
        FROM taken GROUP BY bucket
    ) AS marks JOIN unnest($3, $4::timestamptz[], $5::timestamptz[]) AS w (bucket, until, larger) USING (bucket)
)

-- part: made
-- Their sums, absolute, into the rollups; of what older minutes have in their map, too, the commonest units go into
-- columns. And marks on the larger ones of size $6 (null = there are none), and on the scopes of an hour.
made AS (
    SELECT m.bucket, series_id, currency, sum(events)::bigint AS events,
        sum(unpriced_events)::bigint AS unpriced_events, sum(list) AS list, sum(contracted) AS contracted,
        sum(effective) AS effective, sum(of_which_provisional) AS of_which_provisional,
        usage_total(usage) FILTER (WHERE usage IS NOT NULL) AS usage, {unit_sums}
    FROM marked m CROSS JOIN LATERAL (
        SELECT * FROM source s
        WHERE s.tenant = $1 AND s.bucket >= m.bucket AND s.bucket < m.until AND (m.whole OR series_id = ANY (m.series))
    ) AS parts
    GROUP BY m.bucket, series_id, currency
), replaced AS (
    INSERT INTO rollups (tenant, size, bucket, series_id, part, currency, events, unpriced_events, list, contracted,
        effective, of_which_provisional, usage, {units})
    SELECT $1, $2, bucket, series_id, 0, currency, events, unpriced_events, list, contracted, effective,
        of_which_provisional, {usage_rest}, {units_whole}
    FROM made ORDER BY bucket, series_id, currency
    ON CONFLICT (tenant, size, bucket, series_id, part, currency) DO UPDATE SET
        events = excluded.events, unpriced_events = excluded.unpriced_events, list = excluded.list,
        contracted = excluded.contracted, effective = excluded.effective,
        of_which_provisional = excluded.of_which_provisional, usage = excluded.usage,
        {units_replaced}
), counted AS (
    INSERT INTO rolled AS c (tenant, day, part, generation)
    SELECT DISTINCT $1, (bucket AT TIME ZONE 'UTC')::date, 0, 1 FROM marked
    ON CONFLICT (tenant, day, part) DO UPDATE SET generation = c.generation + 1
), passed_on AS (
    INSERT INTO touched (tenant, size, bucket, series_id)
    SELECT DISTINCT $1, $6::text, larger, s
    FROM marked, unnest(CASE WHEN whole THEN ARRAY[NULL::bytea] ELSE series END) AS s WHERE $6 IS NOT NULL
), scopes_due AS (
    INSERT INTO scope_hours_due (tenant, bucket) SELECT $1, bucket FROM marked WHERE $2 = 'hour'
)
SELECT count(*) FROM marked

-- name: make_of_minutes
-- Five minutes; what corrections add (shard -1) they add to every size themselves.
{taken}, source AS NOT MATERIALIZED (SELECT * FROM rollups_minute WHERE shard >= 0),
{made}

-- name: make_of_rollups
-- What is made of rollups of size $7.
{taken}, source AS NOT MATERIALIZED (SELECT * FROM rollups WHERE size = $7 AND part = 0),
{made}
