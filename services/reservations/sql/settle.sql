-- part: accounts
-- As the book counts its partitions: -1 is the corrector's; each time that a topic was created anew began an account.
SELECT partition, row_number() OVER in_order - 1 AS account, book_offset,
    coalesce(lag(ended_at) OVER in_order, '-infinity') AS begun_at, ended_at
FROM (
    SELECT partition, next_origin AS book_offset, 'infinity'::timestamptz AS ended_at FROM positions
    UNION ALL SELECT partition, next_origin, ended_at FROM closed_accounts
    UNION ALL SELECT -1, next_entry, 'infinity' FROM corrector
) AS all_accounts
WINDOW in_order AS (PARTITION BY partition ORDER BY ended_at)

-- name: alone
-- Whether no other process counts now; until COMMIT, or until this transaction was idle for $1.
SELECT pg_try_advisory_xact_lock(1919251315, 0) FROM set_config('idle_in_transaction_session_timeout', $1, true)

-- name: behind
-- What of the book is not counted yet: of each mark, whose it is. A tenant without any mark has no counters.
SELECT a.partition, a.account, a.begun_at, a.ended_at, coalesce(m.next_offset, 0) AS since, a.book_offset AS until,
    array_agg(t.tenant) AS tenants
FROM ({accounts}) AS a CROSS JOIN (SELECT DISTINCT tenant FROM reservation_marks) AS t
    LEFT JOIN reservation_marks m ON m.tenant = t.tenant AND m.partition = a.partition AND m.account = a.account
WHERE coalesce(m.next_offset, 0) < a.book_offset
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 5

-- name: entries
-- At most $6 of partition $1, recorded in [$2, $3), in offsets [$4, $5).
SELECT origin_offset, tenant, identity, seq, occurred_at, currency, effective, series_id FROM entries
WHERE origin_partition = $1 AND recorded_at >= $2 AND recorded_at < $3 AND origin_offset >= $4 AND origin_offset < $5
ORDER BY origin_offset LIMIT $6

-- name: move_marks
-- From where they were sought, and no others: how many moved.
WITH moved AS (
    INSERT INTO reservation_marks AS m (tenant, partition, account, next_offset)
    SELECT tenant, $2, $3, $5 FROM unnest($1::text[]) AS t (tenant) ORDER BY tenant
    ON CONFLICT (tenant, partition, account) DO UPDATE SET next_offset = excluded.next_offset WHERE m.next_offset = $4
    RETURNING 1
)
SELECT count(*) FROM moved

-- name: standing
-- Where the book is, in one snapshot with its sums.
{accounts}

-- name: in_book
-- Of these identities those that the book has, in that snapshot.
SELECT identity FROM identities WHERE identity = ANY ($1)

-- name: spent
-- What each of the filters $6, in currency $5, came to in the pieces $2 to $4 of tenant $1's time.
WITH sums AS MATERIALIZED (
    SELECT series_id, sum(effective) AS effective FROM spent($1, $2, $3, $4) WHERE currency = $5 GROUP BY series_id
)
SELECT place::int, sum(effective) AS effective
FROM series_within($1, ARRAY(SELECT series_id FROM sums), $6::jsonb[]) AS w JOIN sums USING (series_id) GROUP BY place

-- name: replace_counters
-- All of the tenant's, made anew.
WITH gone AS (
    DELETE FROM budget_counters c WHERE tenant = $1 AND NOT EXISTS (
        SELECT FROM json_populate_recordset(NULL::budget_counters, $2::json) n
        WHERE n.budget_id = c.budget_id AND n.period_start = c.period_start)
)
INSERT INTO budget_counters AS c (tenant, budget_id, period_start, period_end, revision, currency, booked, held, debt,
    peak_minute, peak_running, peak)
SELECT $1, budget_id, period_start, period_end, revision, currency, booked, held, debt, peak_minute, peak_running, peak
FROM json_populate_recordset(NULL::budget_counters, $2::json)
ON CONFLICT (tenant, budget_id, period_start) DO UPDATE SET period_end = excluded.period_end,
    revision = excluded.revision, currency = excluded.currency, booked = excluded.booked, held = excluded.held,
    debt = excluded.debt, peak_minute = excluded.peak_minute, peak_running = excluded.peak_running, peak = excluded.peak

-- name: set_marks
-- Where the sums were taken.
INSERT INTO reservation_marks AS m (tenant, partition, account, next_offset)
SELECT $1, * FROM unnest($2::int[], $3::int[], $4::bigint[])
ON CONFLICT (tenant, partition, account) DO UPDATE SET next_offset = excluded.next_offset

-- name: record_act
-- What became another, and why.
INSERT INTO reservation_acts (tenant, why, before, after) VALUES ($1, $2, $3, $4)

-- name: write_past
-- What was spent past reservations, with the mark.
INSERT INTO unreserved_waiting (tenant, identity, key_id, subject, budget_id, currency, amount, occurred_at, differs)
SELECT $1, identity, key_id, subject, budget_id, currency, amount, occurred_at, differs
FROM json_populate_recordset(NULL::unreserved_waiting, $2::json)
ON CONFLICT (tenant, identity) DO NOTHING

-- name: add_up_past
-- By key and hour, once its commit has had the time $1. What a commit named meanwhile was reserved after all.
WITH ripe AS (
    DELETE FROM unreserved_waiting WHERE counted_at < now() - $1::interval RETURNING *
)
INSERT INTO unreserved AS u (tenant, hour, key_id, subject, budget_id, currency, events, amount, first_at, counted_at, differs)
SELECT tenant, date_trunc('hour', counted_at, 'UTC'), key_id, subject, budget_id, currency, count(*), sum(amount),
    min(occurred_at), max(counted_at), (array_agg(differs ORDER BY counted_at DESC))[1]
FROM ripe WHERE subject <> 'unreserved'
    OR NOT EXISTS (SELECT FROM reservations r WHERE r.identity = ripe.identity AND r.tenant = ripe.tenant)
GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
ON CONFLICT (tenant, hour, key_id, subject, budget_id, currency) DO UPDATE SET events = u.events + excluded.events,
    amount = u.amount + excluded.amount, first_at = least(u.first_at, excluded.first_at),
    counted_at = greatest(u.counted_at, excluded.counted_at), differs = excluded.differs

-- name: forget_past
-- As long as what was committed and never booked is kept.
DELETE FROM unreserved WHERE hour < now() - interval '400 days'
