-- name: months
-- Every month that is part of the book or archived, by its first day.
SELECT coalesce(b.month, a.month) AS month, a.entries, a.file, a.sha256, a.archived_at, b.month IS NOT NULL AS attached,
    a.month IS NOT NULL AS listed
FROM (SELECT m AS month FROM entries_months() AS m) AS b FULL JOIN archived_months a ON a.month = b.month
ORDER BY 1

-- name: closed
-- Whether the chain has closed every day before $1: nothing is added to them any more.
SELECT closed_through >= $1::date - 1 FROM chain_progress

-- name: unread
-- Who follows the book, and has not come past all of the part's entries: what it has not read then, it would never read. Null =
-- nobody. An account of a partition holds what was recorded between the end of the one before and its own.
WITH accounts AS (
    SELECT partition, row_number() OVER in_order - 1 AS account, ended_at,
        coalesce(lag(ended_at) OVER in_order, '-infinity') AS begun_at
    FROM (
        SELECT partition, timestamptz 'infinity' AS ended_at FROM positions
        UNION ALL SELECT partition, ended_at FROM closed_accounts
        UNION ALL SELECT -1, 'infinity' FROM corrector
    ) AS every
    WINDOW in_order AS (PARTITION BY partition ORDER BY ended_at)
), marks AS (
    SELECT projection AS reader, partition, account, next_offset FROM projection_marks
    UNION ALL SELECT 'as_of', partition, account, next_offset FROM moment_marks
    -- What is counted by no mark of a tenant's would be missing in what its budgets still have.
    UNION ALL SELECT 'reservations', partition, account, min(next_offset) FROM reservation_marks GROUP BY partition, account
    -- What is not proved by then never would be: of the account that is open, for closed ones cannot be proved any more.
    UNION ALL SELECT 'the reconciler', partition, (SELECT count(*) FROM closed_accounts c WHERE c.partition = p.partition),
        next_origin
    FROM proved_marks p
)
SELECT min(reader) FROM marks m JOIN accounts a USING (partition, account)
WHERE EXISTS (
    SELECT FROM {part} e WHERE e.origin_partition = m.partition AND e.origin_offset >= m.next_offset
        AND e.recorded_at >= a.begun_at AND e.recorded_at < a.ended_at)

-- name: rows
-- The part's rows in one order, which is not that of the chain. Numbers as they are written: no column of a file holds them as they are.
SELECT occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, recorded_on, seq, identity,
    series_id, tenant, status, currency, list::text, contracted::text, effective::text, event, lines, correction_id
FROM {part} ORDER BY recorded_on, recorded_at, origin_partition, origin_offset, identity, seq

-- name: count
-- How many there are.
SELECT count(*) FROM {part}

-- name: put_down
-- From here on whoever misses one of these entries is told where it is.
INSERT INTO archived_months (month, entries, file, sha256) VALUES ($1, $2, $3, $4)
ON CONFLICT (month) DO UPDATE SET entries = excluded.entries, file = excluded.file, sha256 = excluded.sha256,
    archived_at = now()

-- name: detach
-- Waits for those who read the month, and keeps nobody waiting.
ALTER TABLE entries DETACH PARTITION {part} CONCURRENTLY

-- name: is_half_detached
-- Whether that was begun and interrupted.
SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = to_regclass($1)

-- name: detach_the_rest
-- Ends it.
ALTER TABLE entries DETACH PARTITION {part} FINALIZE

-- name: is_there
-- Whether the detached table was kept.
SELECT to_regclass($1) IS NOT NULL

-- name: drop
-- Its rows are in the file.
DROP TABLE {part}

-- name: make
-- A table for rows of a file.
CREATE TABLE {part} (LIKE entries INCLUDING ALL)

-- name: stage
-- As they lie in the file.
CREATE TEMPORARY TABLE archived (
    occurred_at timestamptz, recorded_at timestamptz, origin_offset bigint, origin_partition int, catalog_version int,
    accounting_period date, recorded_on date, seq smallint, identity bytea, series_id bytea, tenant text, status text,
    currency text, list text, contracted text, effective text, event text, lines text, correction_id text
) ON COMMIT DROP

-- name: fill
-- With numbers again.
INSERT INTO {part} (occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period,
    recorded_on, seq, identity, series_id, tenant, status, currency, list, contracted, effective, event, lines, correction_id)
SELECT occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period,
    recorded_on, seq, identity, series_id, tenant, status, currency, list::numeric, contracted::numeric, effective::numeric,
    event, lines, correction_id
FROM archived

-- name: attach
-- Part of the book again.
ALTER TABLE entries ATTACH PARTITION {part} FOR VALUES FROM ('{first}') TO ('{beyond}')

-- name: take_up
-- In the same transaction.
DELETE FROM archived_months WHERE month = $1
