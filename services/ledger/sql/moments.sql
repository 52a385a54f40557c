-- name: alone
-- Whether this transaction alone writes moments: where several workers run, one of them does. A statement of its own, so
-- that the next one sees all that the one before has written.
SELECT pg_try_advisory_xact_lock(hashtext('spendmeter.moments'))

-- name: reach
-- Of each account of each partition how far entries are sorted, and how far the book is, in one snapshot; and the instant
-- of what is written now ($1, null = by the clock), later than every one before it, whatever the clock does. An account that
-- no mark names is sorted from its beginning; where there is no mark at all, the book begins to remember, and nothing that
-- is in it is sorted.
WITH book AS (
    SELECT partition, (row_number() OVER in_order - 1)::int AS account, next_origin AS book_offset,
        coalesce(lag(ended_at) OVER in_order, '-infinity') AS begun_at, ended_at
    FROM (
        SELECT partition, next_origin, 'infinity' AS ended_at FROM positions
        UNION ALL SELECT partition, next_origin, ended_at FROM closed_accounts
        UNION ALL SELECT -1, coalesce((SELECT next_entry FROM corrector), 0), 'infinity'
    ) AS accounts
    WINDOW in_order AS (PARTITION BY partition ORDER BY ended_at)
)
SELECT partition, account, book.begun_at, ended_at, m.next_offset IS NULL AS is_new,
    coalesce(m.next_offset, CASE WHEN EXISTS (SELECT FROM moment_marks) THEN 0 ELSE book_offset END) AS since, book_offset,
    greatest(coalesce($1::timestamptz, clock_timestamp()),
        (SELECT l.held_until FROM moments l ORDER BY l.at DESC LIMIT 1) + interval '1 microsecond',
        (SELECT max(k.at) FROM moment_marks k) + interval '1 microsecond') AS at
FROM book LEFT JOIN moment_marks m USING (partition, account)
ORDER BY partition, account

-- name: sort
-- Of the stretches [$4, $5) of accounts (partition $1, recorded in [$2, $3)) what was recorded at $6 in another quarter of
-- an hour than it happened in; where $7, all, for the moment that it belongs to is yet to be.
INSERT INTO recorded_apart AS r (tenant, size, bucket, at, series_id, currency, events, unpriced_events, list, contracted,
    effective, of_which_provisional, usage, {units}, corrected)
SELECT e.tenant, s.size, date_bin(s.long, e.occurred_at, 'epoch'), $6, e.series_id, e.currency, sum(e.events)::bigint,
    sum(e.unpriced_events)::bigint, sum(e.list), sum(e.contracted), sum(e.effective), sum(e.of_which_provisional),
    nullif(usage_total(e.usage) FILTER (WHERE e.usage IS NOT NULL), '{}'), {unit_sums}, sum(e.corrected)
FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::bigint[])
    AS stretch (partition, begun_at, ended_at, since, until)
    CROSS JOIN LATERAL (
        SELECT * FROM entry_sums n
        WHERE n.origin_partition = stretch.partition AND n.origin_offset >= stretch.since AND n.origin_offset < stretch.until
            AND n.recorded_at >= stretch.begun_at AND n.recorded_at < stretch.ended_at
            AND ($7 OR date_bin('15 minutes', n.occurred_at, 'epoch') <> date_bin('15 minutes', $6::timestamptz, 'epoch'))
    ) AS e
    CROSS JOIN (VALUES ('minute', interval '1 minute'), ('hour', '1 hour'), ('day', '1 day')) AS s (size, long)
GROUP BY e.tenant, s.size, date_bin(s.long, e.occurred_at, 'epoch'), e.series_id, e.currency
ORDER BY e.tenant, s.size, date_bin(s.long, e.occurred_at, 'epoch'), e.series_id, e.currency
ON CONFLICT (tenant, size, bucket, at, series_id, currency) DO UPDATE SET {sums_added},
    corrected = r.corrected + excluded.corrected

-- name: mark
-- Up to here they are sorted.
INSERT INTO moment_marks AS m (partition, account, begun_at, next_offset, at)
SELECT partition, account, begun_at, next_offset, $5
FROM unnest($1::int[], $2::int[], $3::timestamptz[], $4::bigint[]) AS n (partition, account, begun_at, next_offset)
ON CONFLICT (partition, account) DO UPDATE SET next_offset = excluded.next_offset, at = excluded.at

-- name: hold
-- Nothing has changed since the last moment, if it says just this: then it holds until $1.
UPDATE moments SET held_until = $1
WHERE at = (SELECT max(at) FROM moments)
    AND (partitions, accounts, next_offsets) = ($2::int[], $3::int[], $4::bigint[])

-- name: remember
-- A moment of the book.
INSERT INTO moments (at, held_until, partitions, accounts, next_offsets) VALUES ($1, $1, $2, $3, $4)

-- name: thin
-- Of those before $1 the last of each minute stays, before $2 the last of each hour: whichever are gone, whoever names an
-- instant is told which moment answers.
DELETE FROM moments m USING (
    SELECT at, lead(at) OVER (ORDER BY at) AS next_at FROM moments WHERE at < $1
) AS n
WHERE m.at = n.at AND date_bin(CASE WHEN n.at < $2 THEN interval '1 hour' ELSE '1 minute' END, n.at, 'epoch')
    = date_bin(CASE WHEN n.at < $2 THEN interval '1 hour' ELSE '1 minute' END, n.next_at, 'epoch')
