-- name: begin
-- The tenant is ours until COMMIT.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1919251314))

-- name: hard_tenants
-- Who has any.
SELECT DISTINCT tenant FROM budgets WHERE hard AND deleted_at IS NULL ORDER BY tenant

-- name: state
-- All that a turn of the tenant's is decided by, in one snapshot, taken once the lock is ours: what hard budgets and
-- counters there are; reservations that are named ($2), at most $3 of those whose time is up, those of the events $4, and
-- tranches of the workers $5; answers to the keys ($6, $7); of the identities $8 and those that named ones have stated,
-- which are in the book before the tenant's marks (what lies after them will be settled) or another open reservation's;
-- and what the keys $9, and those of these reservations, hold that is not committed. OFFSET 0: row by row through the one
-- index that has it; a plan that was made while the tables were small would read all that a tenant ever reserved.
WITH named AS MATERIALIZED (
    SELECT unnest($2::uuid[]) AS id
    UNION (
        SELECT id FROM reservations WHERE tenant = $1 AND state = 'held' AND expires_at <= statement_timestamp()
        ORDER BY expires_at LIMIT $3
    )
    UNION SELECT (r).id FROM unnest($4::bytea[]) AS s (identity)
        CROSS JOIN LATERAL (SELECT r FROM reservations r WHERE r.identity = s.identity OFFSET 0) AS of_it
    WHERE (r).tenant = $1
    UNION SELECT id FROM reservations WHERE tenant = $1 AND state = 'committed' AND cardinality($5::text[]) > 0
        AND details ->> 'tranche' = ANY ($5)
),
found AS MATERIALIZED (
    SELECT r FROM named CROSS JOIN LATERAL (
        SELECT r FROM reservations r WHERE r.tenant = $1 AND r.id = named.id OFFSET 0) AS of_it
),
stated AS MATERIALIZED (
    SELECT unnest($8::bytea[]) AS identity
    UNION SELECT (r).identity FROM found WHERE (r).stated AND (r).state IN ('held', 'committed')
),
keys AS MATERIALIZED (SELECT unnest($9::text[]) AS key_id UNION SELECT (r).key_id FROM found),
open AS MATERIALIZED (
    SELECT of_it.* FROM keys CROSS JOIN LATERAL (
        SELECT key_id, held, budget_ids, period_starts FROM reservations r
        WHERE r.tenant = $1 AND r.key_id = keys.key_id AND r.state = 'held' OFFSET 0) AS of_it
),
by_key AS (
    SELECT key_id, NULL::uuid AS budget_id, NULL::timestamptz AS period_start, count(*) AS open, '0' AS held
    FROM open GROUP BY key_id
    UNION ALL
    SELECT key_id, place.budget_id, place.period_start, 0, sum(held)::text
    FROM open, unnest(budget_ids, period_starts) AS place (budget_id, period_start)
    GROUP BY key_id, place.budget_id, place.period_start
),
accounts AS (
    SELECT partition, row_number() OVER in_order - 1 AS account,
        coalesce(lag(ended_at) OVER in_order, '-infinity') AS begun_at, ended_at
    FROM (
        SELECT partition, 'infinity'::timestamptz AS ended_at FROM positions
        UNION ALL SELECT partition, ended_at FROM closed_accounts
    ) AS all_accounts
    WINDOW in_order AS (PARTITION BY partition ORDER BY ended_at)
)
SELECT statement_timestamp() AS now,
    ARRAY(SELECT t FROM tenant_terms t WHERE t.tenant = $1 ORDER BY t.effective_from) AS terms,
    ARRAY(
        SELECT n FROM budgets b, budget_now(b) AS n
        WHERE b.tenant = $1 AND b.hard AND b.deleted_at IS NULL AND n.deleted_at IS NULL ORDER BY n.id
    ) AS budgets,
    ARRAY(SELECT c FROM budget_counters c WHERE c.tenant = $1) AS counters,
    ARRAY(SELECT r FROM found) AS reservations,
    ARRAY(
        SELECT a FROM unnest($6::text[], $7::text[]) AS k (endpoint, idempotency_key) CROSS JOIN LATERAL (
            SELECT a FROM reservation_answers a WHERE a.tenant = $1 AND a.endpoint = k.endpoint
                AND a.idempotency_key = k.idempotency_key OFFSET 0) AS of_it
    ) AS answers,
    ARRAY(
        SELECT e.identity FROM stated s CROSS JOIN LATERAL (
                SELECT e.* FROM identities i JOIN entries e USING (recorded_on, occurred_at, identity)
                WHERE i.identity = s.identity AND e.identity = s.identity AND e.seq = 0 OFFSET 0) AS e
            JOIN accounts a ON a.partition = e.origin_partition
                AND e.recorded_at >= a.begun_at AND e.recorded_at < a.ended_at
            JOIN reservation_marks m ON m.tenant = $1 AND m.partition = a.partition AND m.account = a.account
        WHERE e.origin_offset < m.next_offset
    ) AS booked,
    ARRAY(
        SELECT r FROM stated s
            CROSS JOIN LATERAL (SELECT r FROM reservations r WHERE r.identity = s.identity OFFSET 0) AS of_it
        WHERE (r).tenant = $1 AND (r).state IN ('held', 'committed')
    ) AS reserved,
    (SELECT coalesce(jsonb_agg(b), '[]') FROM by_key b) AS held

-- name: open
-- All that are open.
SELECT {reservation} FROM reservations WHERE tenant = $1 AND state IN ('held', 'committed')

-- part: put_reservations
INSERT INTO reservations AS r (tenant, {reservation})
SELECT $1, {reservation} FROM json_populate_recordset(NULL::reservations, $2::json)
ON CONFLICT (tenant, id) DO UPDATE SET
    identity = excluded.identity, stated = excluded.stated, budget_ids = excluded.budget_ids,
    period_starts = excluded.period_starts, held = excluded.held, actual = excluded.actual, state = excluded.state,
    expires_at = excluded.expires_at, extensions = excluded.extensions, committed_at = excluded.committed_at,
    event = excluded.event

-- name: write_reservations
-- New ones, and what of others may be another.
{put_reservations}

-- name: write
-- What was decided under the lock: reservations, counters ($3) as they were read and changed, and answers. At once, or
-- not at all.
WITH put AS ({put_reservations}),
counted AS (
    UPDATE budget_counters c SET booked = n.booked, held = n.held, debt = n.debt, peak_minute = n.peak_minute,
        peak_running = n.peak_running, peak = n.peak
    FROM json_populate_recordset(NULL::budget_counters, $3::json) n
    WHERE c.tenant = $1 AND c.budget_id = n.budget_id AND c.period_start = n.period_start
)
INSERT INTO reservation_answers (tenant, endpoint, idempotency_key, payload, decision, reservation_id)
SELECT $1, * FROM unnest($4::text[], $5::text[], $6::bytea[], $7::text[], $8::uuid[])

-- part: reservation
id, key_id, identity, stated, dimensions, budget_ids, period_starts, bound, held, actual, state, created_at, expires_at,
extensions, committed_at, provisional, details, event

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
-- Our own events that the log may not hold yet, of commits that are $1 old, eldest first.
SELECT tenant, id, identity, event FROM reservations
WHERE event <> '' AND sent_at IS NULL AND committed_at <= now() - $1::interval ORDER BY committed_at LIMIT $2

-- name: sent
-- The broker has acknowledged them.
UPDATE reservations r SET sent_at = now() FROM unnest($1::text[], $2::uuid[]) AS t (tenant, id)
WHERE r.tenant = t.tenant AND r.id = t.id AND sent_at IS NULL

-- name: find
-- These.
SELECT r.* FROM unnest($1::text[], $2::uuid[]) AS t (tenant, id)
    CROSS JOIN LATERAL (SELECT * FROM reservations r WHERE r.tenant = t.tenant AND r.id = t.id OFFSET 0) AS r

-- name: list
-- Newest first, after one of them; $2 '' = of any state.
SELECT {reservation}, sent_at FROM reservations
WHERE tenant = $1 AND ($2 = '' OR state = $2) AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4))
ORDER BY created_at DESC, id DESC LIMIT $5

-- name: uncounted
-- Hard budgets of which there is no counter: made a moment ago, not begun, or in another currency than the book.
SELECT b.tenant, n.id, n.name, n.filter, n.amount, n.currency, b.unreserved, b.when_away, b.key_share
FROM budgets b, budget_now(b) AS n
WHERE b.hard AND b.deleted_at IS NULL AND n.deleted_at IS NULL AND NOT EXISTS (
    SELECT FROM budget_counters c WHERE c.tenant = b.tenant AND c.budget_id = b.id)

-- name: standing
-- Every counter of every tenant, with its budget: what check answers from.
SELECT c.tenant, c.budget_id, c.period_start, c.period_end, c.revision, c.currency, c.booked, c.held, c.debt,
    c.peak_minute, c.peak_running, c.peak, n.name, n.filter, n.amount, b.unreserved, b.when_away, b.key_share, n.id
FROM budget_counters c JOIN budgets b ON b.tenant = c.tenant AND b.id = c.budget_id, budget_now(b) AS n
WHERE b.hard AND n.deleted_at IS NULL
