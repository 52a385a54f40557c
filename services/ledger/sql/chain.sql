-- name: alone
-- Whether this transaction alone closes days: where several workers run, one of them does. A statement of its own, so that
-- the next one sees all that the one before has written.
SELECT pg_try_advisory_xact_lock(hashtext('spendmeter.chain'))

-- name: progress
-- How far it has come. over_through: the last day that is over, and on which, or after which, something was booked: a clock
-- that is ahead closes nothing by itself. passed_barrier: whether all who might not know closing_through have committed, or have
-- not and never will.
SELECT closing_through, barrier IS NOT NULL AS has_barrier,
    coalesce(pg_snapshot_xmin(pg_current_snapshot()) >= barrier, false) AS passed_barrier, closed_through, day, hashed_before, topic, next_offset,
    published_through, published_epoch, refused, (SELECT coalesce(max(epoch), 1) FROM chain_put_backs) AS epoch,
    least((clock_timestamp() AT TIME ZONE 'UTC' - interval '1 minute')::date - 1, greatest(
        (SELECT max(recorded_on) FROM positions), (SELECT recorded_on FROM corrector))) AS over_through
FROM chain_progress

-- name: begin_closing
-- From now on what is booked is recorded after $1.
UPDATE chain_progress SET closing_through = $1, barrier = NULL
WHERE $1::date IS NOT NULL AND (closing_through IS NULL OR closing_through = closed_through AND closing_through < $1)

-- name: set_barrier
-- A transaction of its own, after the one above: whoever began to book before it may not know it.
UPDATE chain_progress SET barrier = pg_snapshot_xmax(pg_current_snapshot()) WHERE barrier IS NULL

-- name: next_day
-- The day after the last one that is closed; of a book of which none is, the first of its first month, for no index tells the
-- first with entries.
SELECT coalesce((SELECT closed_through FROM chain_progress) + 1, (SELECT min(m) FROM entries_months() AS m WHERE m <= $1))

-- name: begin_day
-- Begins with the first entry that was recorded before the day itself, by a clock that was behind, or with the day; none
-- where it has no entry.
UPDATE chain_progress SET day = $1, hashed_before = least($1::date::timestamp AT TIME ZONE 'UTC',
    (SELECT min(recorded_at) FROM entries WHERE recorded_on = $1 AND recorded_at < $1::date::timestamp AT TIME ZONE 'UTC'))
WHERE EXISTS (SELECT FROM entries WHERE recorded_on = $1)

-- name: entries
-- Of day $1 what was recorded in [$2, $3) (null = later, too), at most $4 (null = all), in order; all columns, as leaves
-- have them.
SELECT {columns} FROM entries e
WHERE e.recorded_on = $1 AND e.recorded_at >= $2 AND e.recorded_at < coalesce($3::timestamptz, 'infinity')
ORDER BY e.recorded_at, e.origin_partition, e.origin_offset, e.identity, e.seq LIMIT $4

-- name: open_days
-- How far the day is hashed of these tenants.
SELECT tenant, link, leaves, sums::text FROM chain_open WHERE tenant = ANY ($1::text[])

-- name: keep_open
-- And now.
INSERT INTO chain_open AS o (tenant, link, leaves, sums)
SELECT tenant, link, leaves, sums::jsonb
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) AS n (tenant, link, leaves, sums)
ON CONFLICT (tenant) DO UPDATE SET link = excluded.link, leaves = excluded.leaves, sums = excluded.sums

-- name: hashed
-- What was recorded before it is hashed.
UPDATE chain_progress SET hashed_before = $1

-- name: whole_day
-- All tenants of the day, each with the last day before it that has a root.
SELECT o.tenant, o.link, o.leaves, o.sums::text, d.day AS previous_day, coalesce(d.root, '') AS previous
FROM chain_open o LEFT JOIN LATERAL (
    SELECT day, root FROM chain_days c WHERE c.tenant = o.tenant ORDER BY c.day DESC LIMIT 1
) AS d ON true
ORDER BY o.tenant

-- name: close_day
-- Said once, and never changed.
INSERT INTO chain_days (tenant, day, epoch, previous_day, previous, leaves, sums, link, root, closed_at)
SELECT tenant, $1, $2, previous_day, previous, leaves, sums::jsonb, link, root, $3
FROM unnest($4::text[], $5::date[], $6::text[], $7::bigint[], $8::text[], $9::text[], $10::text[])
    AS n (tenant, previous_day, previous, leaves, sums, link, root)

-- name: forget_open
-- It is closed.
DELETE FROM chain_open

-- name: closed
-- All days up to here.
UPDATE chain_progress SET closed_through = $1, day = NULL, hashed_before = NULL, refused = ''

-- name: refuse
-- The topic says otherwise of what would be closed.
UPDATE chain_progress SET refused = $1 WHERE refused <> $1

-- name: follow_topic
-- The topic is another one: what it says, and lacks, is seen from its beginning.
UPDATE chain_progress SET topic = $1, next_offset = 0, published_through = NULL, published_epoch = 1

-- name: known_roots
-- What the book says of these days of tenants.
SELECT tenant, day, root FROM chain_days JOIN unnest($1::text[], $2::date[]) AS n (tenant, day) USING (tenant, day)

-- name: put_backs
-- When the book was put back, in order.
SELECT epoch, stands_through, began_at, by, reason FROM chain_put_backs ORDER BY epoch

-- name: read_through
-- Up to here the topic says what the book does; and what of the rest does not.
UPDATE chain_progress SET next_offset = $1, epoch_seen = greatest(epoch_seen, $2), contradicted = $3
WHERE (next_offset, contradicted) <> ($1, $3) OR epoch_seen < $2

-- name: unpublished
-- The next closed days, at most $3, after that of ($1, $2).
SELECT tenant, day, epoch, previous_day, previous, leaves, sums::text, link, root, closed_at FROM chain_days
WHERE (day, tenant) > ($1::date, $2) ORDER BY day, tenant LIMIT $3

-- name: published
-- The broker has them.
UPDATE chain_progress SET published_through = $1, published_epoch = $2
