-- name: time_limit
-- For the rest of the transaction: an hour of a busy tenant may take seconds.
SELECT set_config('statement_timeout', '10min', true)

-- name: alone
-- Waits until nobody else freezes minutes or makes rollups, and keeps them from it: so part 0 holds still.
SELECT pg_advisory_xact_lock(hashtext('spendmeter.rollups'))

-- name: make
-- Parts for the days until so many from now.
SELECT make_minutes((now() AT TIME ZONE 'UTC')::date + $1::int)

-- name: standing
-- How many days ahead have a part, and of how many days there is one though their minutes are before $1.
SELECT max(d) - (now() AT TIME ZONE 'UTC')::date AS ahead,
    greatest(0, ($1::timestamptz AT TIME ZONE 'UTC')::date - min(d)) AS over
FROM minutes_days() AS d

-- name: next
-- Where the oldest day ends, if that is to be dropped: what is before $1 is.
SELECT until FROM (SELECT (min(d) + 1)::timestamp AT TIME ZONE 'UTC' AS until FROM minutes_days() AS d) AS oldest
WHERE until <= $1

-- name: let_go
-- Nobody reads minutes before $1 any more, but for what waits to be rolled up.
SELECT let_minutes_go($1)

-- name: next_minutes
-- Whose minutes before $1 come next, from tenant $2's minute $3 on, along the key.
SELECT tenant, bucket FROM rollups_minute
WHERE bucket < $1 AND (tenant, bucket) >= ($2::text, $3::timestamptz) ORDER BY tenant, bucket LIMIT 1

-- name: full_at
-- In which minute those of tenant $1 in [$2, $3) come to more than $4 rows; null = in none.
SELECT bucket FROM rollups_minute WHERE tenant = $1 AND bucket >= $2 AND bucket < $3 ORDER BY bucket OFFSET $4 LIMIT 1

-- name: freeze
-- Takes the minutes of tenant $1 in [$2, $3) away, and adds what lanes booked in them to part -2 of the buckets that they
-- lie in: of size $4, from $5 to $6.
WITH summed AS (
    SELECT w.size, w.bucket, t.series_id, t.currency, sum(t.events)::bigint AS events,
        sum(t.unpriced_events)::bigint AS unpriced_events, sum(t.list) AS list, sum(t.contracted) AS contracted,
        sum(t.effective) AS effective, sum(t.of_which_provisional) AS of_which_provisional,
        usage_total(t.usage) FILTER (WHERE t.usage IS NOT NULL) AS usage, {unit_sums}
    FROM take_minutes($1, $2, $3) AS t
        JOIN unnest($4::text[], $5::timestamptz[], $6::timestamptz[]) AS w (size, bucket, until)
        ON t.bucket >= w.bucket AND t.bucket < w.until
    GROUP BY w.size, w.bucket, t.series_id, t.currency
)
INSERT INTO rollups AS r (tenant, size, bucket, series_id, part, currency, events, unpriced_events, list, contracted,
    effective, of_which_provisional, usage, {units})
SELECT $1, size, bucket, series_id, -2, currency, events, unpriced_events, list, contracted, effective,
    of_which_provisional, {usage_rest}, {units_whole}
FROM summed ORDER BY size, bucket, series_id, currency
ON CONFLICT (tenant, size, bucket, series_id, part, currency) DO UPDATE SET {sums_added}

-- name: drop_made
-- What was made of these minutes of tenant $1, [$2, $3), in whatever calendar, and of the day that they are part of,
-- [$4, $5). What corrections added to five minutes they added to hours and days, too.
DELETE FROM rollups r USING (
    VALUES ('five_minutes', $2::timestamptz, $3::timestamptz), ('hour', $2, $3), ('day', $4::timestamptz, $5::timestamptz)
) AS w (size, since, until)
WHERE r.tenant = $1 AND r.size = w.size AND r.bucket >= w.since AND r.bucket < w.until
    AND (r.part = 0 OR r.size = 'five_minutes')

-- name: make_again
-- Part 0 of tenant $1's bucket $3 of size $2: what is left of it, as rollups of size $4 that begin in [$5, $6) say.
INSERT INTO rollups (tenant, size, bucket, series_id, part, currency, events, unpriced_events, list, contracted,
    effective, of_which_provisional, usage, {units})
SELECT $1, $2, $3, series_id, 0, currency, sum(events)::bigint, sum(unpriced_events)::bigint, sum(list),
    sum(contracted), sum(effective), sum(of_which_provisional),
    usage_total(usage) FILTER (WHERE usage IS NOT NULL), {unit_sums}
FROM rollups WHERE tenant = $1 AND size = $4 AND part = 0 AND bucket >= $5 AND bucket < $6
GROUP BY series_id, currency

-- name: drop
-- The parts of the days before $1, for good; nothing of this transaction has happened where that cannot be.
SELECT drop_minutes($1)
