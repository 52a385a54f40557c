-- name: time_limit
-- For the rest of the transaction: a day of a busy tenant takes seconds.
SELECT set_config('statement_timeout', '10min', true)

-- name: alone
-- Waits until nobody else drops minutes or makes rollups, and keeps them from it: so part 0 holds still.
SELECT pg_advisory_xact_lock(hashtext('spendmeter.rollups'))

-- name: make
-- Parts for the days until so many from now.
SELECT make_minutes((now() AT TIME ZONE 'UTC')::date + $1::int)

-- name: standing
-- How many days ahead have a part, and how many more days than they should be minutes before $1 have been kept.
SELECT (SELECT max(d) FROM minutes_days() AS d) - (now() AT TIME ZONE 'UTC')::date AS ahead,
    coalesce((SELECT greatest(0, extract(day FROM $1 - since)) FROM minutes_kept), 0)::int AS over

-- name: next
-- Up to where the next day ends that is to be dropped: what is before $1 is, a day at a time. null = there is none.
SELECT least($1, date_trunc('day', coalesce(kept.since, (
        SELECT min(bucket) FROM rollups_minute WHERE bucket < $1
    )), 'UTC') + interval '1 day')
FROM (SELECT max(since) AS since FROM minutes_kept) AS kept WHERE kept.since < $1 OR kept.since IS NULL

-- name: waits
-- Whether something before $1 is to be rolled up first.
SELECT EXISTS (SELECT FROM touched WHERE bucket < $1)

-- name: unlike
-- Whose lanes' minutes before $1 do not come to what their five minutes do.
SELECT m.tenant FROM (
    SELECT tenant, currency, sum(events) AS events, sum(effective) AS effective
    FROM rollups_minute WHERE bucket < $1 AND shard >= 0 GROUP BY tenant, currency
) AS m CROSS JOIN LATERAL (
    SELECT coalesce(sum(r.events), 0) AS events, coalesce(sum(r.effective), 0) AS effective FROM rollups r
    WHERE r.tenant = m.tenant AND r.size = 'five_minutes' AND r.bucket < $1 AND r.part = 0 AND r.currency = m.currency
) AS f
WHERE (m.events, m.effective) <> (f.events, f.effective)

-- name: mark
-- All that the tenants $2 booked before $1 is to be rolled up again.
INSERT INTO touched (tenant, size, bucket)
SELECT DISTINCT tenant, 'five_minutes', date_bin('5 minutes', bucket, 'epoch') FROM rollups_minute
WHERE bucket < $1 AND tenant = ANY ($2::text[]) AND shard >= 0

-- name: tenants
-- Whose five minutes there are before $1, hopping from tenant to tenant along the key.
WITH RECURSIVE met AS (
    (SELECT tenant FROM rollups ORDER BY tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT r.tenant FROM rollups r WHERE r.tenant > met.tenant ORDER BY r.tenant LIMIT 1)
    FROM met WHERE met.tenant IS NOT NULL
)
SELECT tenant FROM met WHERE EXISTS (
    SELECT FROM rollups r WHERE r.tenant = met.tenant AND r.size = 'five_minutes' AND r.bucket < $1
)

-- name: buckets
-- The five minutes of tenant $1 before $2 that are not frozen yet: the day that goes, and what came late for those
-- before.
SELECT DISTINCT bucket FROM rollups WHERE tenant = $1 AND size = 'five_minutes' AND bucket < $2 AND part = 0

-- name: take_away
-- Part 0 of these buckets, [$3, $4), of tenant $1 and size $2: whatever calendar they were made in.
DELETE FROM rollups r USING unnest($3::timestamptz[], $4::timestamptz[]) AS w (since, until)
WHERE r.tenant = $1 AND r.size = $2 AND r.part = 0 AND r.bucket >= w.since AND r.bucket < w.until

-- name: add
-- To part $6 of each bucket in $3 what its five minutes from $4 to $5 come to.
INSERT INTO rollups AS r (tenant, size, bucket, series_id, part, currency, events, unpriced_events, list, contracted,
    effective, of_which_provisional, usage, {units})
SELECT $1::text, $2::text, w.bucket, f.series_id, $6::smallint, f.currency, sum(f.events)::bigint, sum(f.unpriced_events)::bigint,
    sum(f.list), sum(f.contracted), sum(f.effective), sum(f.of_which_provisional),
    usage_total(f.usage) FILTER (WHERE f.usage IS NOT NULL), {unit_sums}
FROM unnest($3::timestamptz[], $4::timestamptz[], $5::timestamptz[]) AS w (bucket, since, until) JOIN rollups f
    ON f.tenant = $1 AND f.size = 'five_minutes' AND f.part = 0 AND f.bucket >= w.since AND f.bucket < w.until
GROUP BY w.bucket, f.series_id, f.currency ORDER BY w.bucket, f.series_id, f.currency
ON CONFLICT (tenant, size, bucket, series_id, part, currency) DO UPDATE SET {sums_added}

-- name: drop_five_minutes
-- With the minutes that they are made of: those of tenant $1 before $2. What corrections added to them they added to
-- hours and days, too.
DELETE FROM rollups WHERE tenant = $1 AND size = 'five_minutes' AND bucket < $2

-- name: drop
-- The minutes before $1, for good; nothing of this transaction has happened where that cannot be.
SELECT drop_minutes($1)
