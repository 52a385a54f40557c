-- name: begin
-- The tenant is ours until COMMIT.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1919251314))

-- name: now
-- Asked after the wait for the lock: no other clock decides what has run out.
SELECT clock_timestamp()

-- name: budgets
-- Hard budgets in force, as they are now.
SELECT n.id, n.name, n.filter, n.amount, n.currency, n.period, n.starts_on, n.ends_on, n.last_hours, n.revision, b.unreserved, b.when_away, b.key_share
FROM budgets b, budget_now(b) AS n
WHERE b.tenant = $1 AND b.hard AND b.deleted_at IS NULL AND n.deleted_at IS NULL ORDER BY n.id

-- name: hard_tenants
-- Who has any.
SELECT DISTINCT tenant FROM budgets WHERE hard AND deleted_at IS NULL ORDER BY tenant

-- name: counters
-- All of the tenant's.
SELECT budget_id, period_start, period_end, revision, currency, booked, held, debt, peak_minute, peak_running, peak
FROM budget_counters WHERE tenant = $1

-- part: reservation
id, key_id, identity, stated, dimensions, budget_ids, period_starts, bound, held, actual, state, created_at, expires_at,
extensions, committed_at, provisional, details, event

-- name: reservations
-- Those that are named, and at most $4 of those whose time is up.
SELECT {reservation} FROM reservations WHERE tenant = $1 AND id = ANY ($2)
UNION
SELECT {reservation} FROM (
    SELECT * FROM reservations WHERE tenant = $1 AND state = 'held' AND expires_at <= $3 ORDER BY expires_at LIMIT $4
) AS due

-- name: open
-- All that are open.
SELECT {reservation} FROM reservations WHERE tenant = $1 AND state IN ('held', 'committed')

-- name: of_identities
-- Whose events these are.
SELECT {reservation} FROM reservations WHERE tenant = $1 AND identity = ANY ($2)

-- name: reserved
-- Whose open reservations are of these events.
SELECT identity, id FROM reservations
WHERE tenant = $1 AND identity = ANY ($2) AND state IN ('held', 'committed')

-- name: answers
-- What was answered to these keys.
SELECT endpoint, idempotency_key, payload, decision FROM reservation_answers
WHERE tenant = $1 AND (endpoint, idempotency_key) IN (SELECT * FROM unnest($2::text[], $3::text[]))

-- name: held_by_key
-- How many reservations of each key are open, not committed; and what they hold, place by place.
SELECT key_id, NULL::uuid AS budget_id, NULL::timestamptz AS period_start, count(*) AS open, NULL::numeric AS held
FROM reservations WHERE tenant = $1 AND state = 'held' AND key_id = ANY ($2) GROUP BY key_id
UNION ALL
SELECT key_id, place.budget_id, place.period_start, NULL, sum(held)
FROM reservations, unnest(budget_ids, period_starts) AS place (budget_id, period_start)
WHERE tenant = $1 AND state = 'held' AND key_id = ANY ($2) GROUP BY key_id, place.budget_id, place.period_start

-- name: booked
-- Of these identities, those that are in the book before the tenant's marks: what lies after them will be settled.
WITH accounts AS (
    SELECT partition, row_number() OVER in_order - 1 AS account,
        coalesce(lag(ended_at) OVER in_order, '-infinity') AS begun_at, ended_at
    FROM (
        SELECT partition, 'infinity'::timestamptz AS ended_at FROM positions
        UNION ALL SELECT partition, ended_at FROM closed_accounts
    ) AS all_accounts
    WINDOW in_order AS (PARTITION BY partition ORDER BY ended_at)
)
SELECT i.identity FROM identities i
    JOIN entries e ON e.occurred_at = i.occurred_at AND e.identity = i.identity AND e.seq = 0
    JOIN accounts a ON a.partition = e.origin_partition AND e.recorded_at >= a.begun_at AND e.recorded_at < a.ended_at
    JOIN reservation_marks m ON m.tenant = $1 AND m.partition = a.partition AND m.account = a.account
WHERE i.identity = ANY ($2) AND e.origin_offset < m.next_offset

-- name: write_reservations
-- New ones, and what of others may be another.
INSERT INTO reservations AS r (tenant, {reservation})
SELECT $1, {reservation} FROM json_populate_recordset(NULL::reservations, $2::json)
ON CONFLICT (tenant, id) DO UPDATE SET
    identity = excluded.identity, stated = excluded.stated, budget_ids = excluded.budget_ids,
    period_starts = excluded.period_starts, held = excluded.held, actual = excluded.actual, state = excluded.state,
    expires_at = excluded.expires_at, extensions = excluded.extensions, committed_at = excluded.committed_at,
    event = excluded.event

-- name: write_counters
-- Under the lock: as they were read, and decided.
UPDATE budget_counters c SET booked = n.booked, held = n.held, debt = n.debt, peak_minute = n.peak_minute,
    peak_running = n.peak_running, peak = n.peak
FROM json_populate_recordset(NULL::budget_counters, $2::json) n
WHERE c.tenant = $1 AND c.budget_id = n.budget_id AND c.period_start = n.period_start

-- name: write_answers
-- With the decisions, or not at all.
INSERT INTO reservation_answers (tenant, endpoint, idempotency_key, payload, decision, reservation_id)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[], $6::uuid[])

-- name: forget_answers
-- Nobody asks again after 30 days.
DELETE FROM reservation_answers WHERE at < now() - interval '30 days'

-- name: forget_reservations
-- What was over 90 days ago; of what was committed and never booked, 400: its period is over.
DELETE FROM reservations WHERE created_at < now() - CASE WHEN state = 'committed' THEN interval '400 days'
    ELSE interval '90 days' END AND state <> 'held' AND (event = '' OR sent_at IS NOT NULL)

-- name: tenants_with_due
-- Whose reservations have run out and are not freed.
SELECT DISTINCT tenant FROM reservations WHERE state = 'held' AND expires_at <= now() LIMIT $1

-- name: unsent
-- Our own events that the log may not hold yet, eldest first.
SELECT tenant, id, identity, event FROM reservations WHERE event <> '' AND sent_at IS NULL ORDER BY committed_at LIMIT $1

-- name: sent
-- The broker has acknowledged them.
UPDATE reservations SET sent_at = now()
WHERE (tenant, id) IN (SELECT * FROM unnest($1::text[], $2::uuid[])) AND sent_at IS NULL

-- name: find
-- One, for its key's tenant.
SELECT {reservation}, sent_at FROM reservations WHERE tenant = $1 AND id = $2

-- name: list
-- Newest first, after one of them; $2 '' = of any state.
SELECT {reservation}, sent_at FROM reservations
WHERE tenant = $1 AND ($2 = '' OR state = $2) AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4))
ORDER BY created_at DESC, id DESC LIMIT $5

-- name: standing
-- Every counter of every tenant, with its budget: what check answers from.
SELECT c.tenant, c.budget_id, c.period_start, c.period_end, c.revision, c.currency, c.booked, c.held, c.debt,
    c.peak_minute, c.peak_running, c.peak, n.name, n.filter, n.amount, b.unreserved, b.when_away, b.key_share, n.id
FROM budget_counters c JOIN budgets b ON b.tenant = c.tenant AND b.id = c.budget_id, budget_now(b) AS n
WHERE b.hard AND n.deleted_at IS NULL
