-- name: standing
-- Where each of the projections $1 stands in each account of each partition (null = not begun), and where the book
-- does. What an account holds was recorded between the end of the one before and its own.
WITH book AS (
    SELECT partition, row_number() OVER in_order - 1 AS account, next_origin AS book_offset,
        coalesce(lag(ended_at) OVER in_order, '-infinity') AS begun_at, ended_at
    FROM (
        SELECT partition, next_origin, 'infinity' AS ended_at FROM positions
        UNION ALL SELECT partition, next_origin, ended_at FROM closed_accounts
        UNION ALL SELECT -1, next_entry, 'infinity' FROM corrector
    ) AS accounts
    WINDOW in_order AS (PARTITION BY partition ORDER BY ended_at)
)
SELECT projection, partition, account, begun_at, ended_at, m.next_offset, book_offset
FROM unnest($1::text[]) AS named (projection) CROSS JOIN book LEFT JOIN projection_marks m
    USING (projection, partition, account)

-- name: to_book
-- How many accepted events wait to be booked, as the ledgers saw a second ago.
-- Those of a line that stands still, or that nobody reads, wait for something else.
SELECT coalesce(sum(greatest(0, e.log_end - p.next_origin)), 0)::bigint FROM log_ends e JOIN positions p USING (partition)
WHERE e.stopped = '' AND e.read_at > now() - interval '10 s'

-- name: begin
-- A new projection, or a new partition: from its beginning.
INSERT INTO projection_marks (projection, partition, account, next_offset)
SELECT projection, partition, account, 0 FROM unnest($1::text[], $2::int[], $3::int[]) AS n (projection, partition, account)
ON CONFLICT DO NOTHING

-- name: entries
-- Of each partition $1 and account [$2, $3) what lies in [$4, $5), at most $6 entries, and fewer where they are large:
-- none after the first $7 bytes. A reversal has the event and the lines of what it reverses; a replacement without an
-- event the last one stated.
SELECT place, origin_offset, seq, occurred_at, tenant, series_id, status, currency, list, contracted, effective, event,
    lines, identity
FROM unnest($1::int[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::bigint[]) WITH ORDINALITY
    AS stretch (partition, begun_at, ended_at, since, until, place) CROSS JOIN LATERAL (
    SELECT *, sum(octet_length(event) + octet_length(lines)) OVER (
        ORDER BY origin_offset ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (
        SELECT e.origin_offset, e.seq, e.occurred_at, e.identity, e.tenant, e.series_id, e.status, e.currency,
            e.list::text, e.contracted::text, e.effective::text,
            {stated_event} AS event,
            {reversed_lines} AS lines
        FROM entries e
        WHERE e.origin_partition = partition AND e.origin_offset >= since AND e.origin_offset < until
            AND e.recorded_at >= begun_at AND e.recorded_at < ended_at
        ORDER BY e.origin_offset LIMIT $6
    ) AS next
) AS bounded
WHERE coalesce(bytes_before, 0) < $7

-- name: in_turn
-- One writer at a time, until COMMIT. Each statement takes its rows in the order of their key, but a statement on cells
-- has its sums by model written twice, once for the cells that it changed and once for its new ones: of two writers of
-- other cells each would wait for the other.
SELECT pg_advisory_xact_lock(hashtext('spendmeter.projections'))

-- name: hold_marks
-- How many of the marks are where they were sought; those are ours until COMMIT. By which rules we fold: who says nothing,
-- or a lower number than the schema asks for, is refused (0086_true_ups.sql).
SELECT count(*), set_config('app.fold_rules', '2', true) FROM (
    SELECT FROM projection_marks WHERE (projection, partition, account, next_offset)
        IN (SELECT * FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[]))
    ORDER BY projection, partition, account FOR UPDATE
) AS held

-- name: move_marks
-- The other half of hold_marks.
UPDATE projection_marks m SET next_offset = n.moved
FROM unnest($1::text[], $2::int[], $3::int[], $4::bigint[], $5::bigint[]) AS n (projection, partition, account, sought, moved)
WHERE (m.projection, m.partition, m.account, m.next_offset) = (n.projection, n.partition, n.account, n.sought)

-- name: add_to_cells
-- In the order of the key, as below. Days that are over are due: what whole periods change is worked out of them.
WITH added AS MATERIALIZED (
    SELECT * FROM json_populate_recordset(NULL::cells, $1::json)
), due AS (
    INSERT INTO true_ups_due (tenant, day)
    SELECT DISTINCT tenant, day FROM added WHERE day < (now() AT TIME ZONE 'UTC')::date
)
INSERT INTO cells AS c (tenant, day, cell_id, series_id, tier, region, batch, currency, unit, status, entry, factors,
    contracted_entry, reason, priced_in, contracted_in, events, quantity, list_priced, contracted_priced,
    effective_priced, list, contracted, effective)
SELECT tenant, day, cell_id, series_id, tier, region, batch, currency, unit, status, entry, factors, contracted_entry,
    reason, priced_in, contracted_in, events, quantity, list_priced, contracted_priced, effective_priced, list,
    contracted, effective
FROM added ORDER BY tenant, day, cell_id
ON CONFLICT (tenant, day, cell_id) DO UPDATE SET
    events = c.events + excluded.events,
    quantity = c.quantity + excluded.quantity,
    list_priced = c.list_priced + excluded.list_priced,
    contracted_priced = c.contracted_priced + excluded.contracted_priced,
    effective_priced = c.effective_priced + excluded.effective_priced,
    list = c.list + excluded.list,
    contracted = c.contracted + excluded.contracted,
    effective = c.effective + excluded.effective

-- name: add_to_runs
-- Amounts are added, times only grow apart.
INSERT INTO runs AS r (tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku, call_status,
    events, unpriced_events, list, contracted, effective, of_which_provisional, first_at, last_at, timed_events,
    latency_ms, latency_ms_max)
SELECT tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku, call_status, events,
    unpriced_events, list, contracted, effective, of_which_provisional, first_at, last_at, timed_events, latency_ms,
    latency_ms_max
FROM json_populate_recordset(NULL::runs, $1::json)
ORDER BY tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku, call_status
ON CONFLICT (tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku, call_status)
DO UPDATE SET
    events = r.events + excluded.events,
    unpriced_events = r.unpriced_events + excluded.unpriced_events,
    list = r.list + excluded.list,
    contracted = r.contracted + excluded.contracted,
    effective = r.effective + excluded.effective,
    of_which_provisional = r.of_which_provisional + excluded.of_which_provisional,
    first_at = least(r.first_at, excluded.first_at),
    last_at = greatest(r.last_at, excluded.last_at),
    timed_events = r.timed_events + excluded.timed_events,
    latency_ms = r.latency_ms + excluded.latency_ms,
    latency_ms_max = greatest(r.latency_ms_max, excluded.latency_ms_max)

-- name: add_to_run_outcomes
-- What events state; that of a reversed one is taken away.
INSERT INTO run_outcomes AS o (tenant, run, identity, outcome_id, at, workflow, workflow_version, name, currency, events,
    count, value)
SELECT tenant, run, identity, outcome_id, at, workflow, workflow_version, name, currency, events, count, value
FROM json_populate_recordset(NULL::run_outcomes, $1::json) ORDER BY tenant, run, identity, outcome_id
ON CONFLICT (tenant, run, identity, outcome_id) DO UPDATE SET
    events = o.events + excluded.events,
    count = o.count + excluded.count,
    value = o.value + excluded.value

-- name: add_to_user_months
-- Amounts are added.
INSERT INTO user_months AS u (tenant, month, "user", currency, events, effective, of_which_provisional)
SELECT tenant, month, "user", currency, events, effective, of_which_provisional
FROM json_populate_recordset(NULL::user_months, $1::json) ORDER BY tenant, month, "user", currency
ON CONFLICT (tenant, month, "user", currency) DO UPDATE SET
    events = u.events + excluded.events,
    effective = u.effective + excluded.effective,
    of_which_provisional = u.of_which_provisional + excluded.of_which_provisional

-- name: add_to_quality_hours
-- Calls are added.
INSERT INTO quality_hours AS q (tenant, hour, series_id, call_status, over_context, latency, calls)
SELECT tenant, hour, series_id, call_status, over_context, latency, calls
FROM json_populate_recordset(NULL::quality_hours, $1::json)
ORDER BY tenant, series_id, hour, call_status, over_context, latency
ON CONFLICT (tenant, series_id, hour, call_status, over_context, latency) DO UPDATE SET calls = q.calls + excluded.calls

-- name: add_to_run_days
-- Amounts are added, times only grow apart; and each run is due, on each day of which something is added.
WITH added AS MATERIALIZED (
    SELECT * FROM json_populate_recordset(NULL::run_days, $1::json)
), due AS (
    INSERT INTO run_days_due (tenant, day, run) SELECT DISTINCT tenant, day, run FROM added
)
INSERT INTO run_days AS r (tenant, day, run, workflow, workflow_version, team, currency, events, unpriced_events, calls,
    failed_calls, ai, human, adjacent, of_which_provisional, labour_hours, first_at, last_at)
SELECT tenant, day, run, workflow, workflow_version, team, currency, events, unpriced_events, calls, failed_calls, ai,
    human, adjacent, of_which_provisional, labour_hours, first_at, last_at
FROM added ORDER BY tenant, day, run, workflow, workflow_version, team, currency
ON CONFLICT (tenant, day, run, workflow, workflow_version, team, currency) DO UPDATE SET
    events = r.events + excluded.events,
    unpriced_events = r.unpriced_events + excluded.unpriced_events,
    calls = r.calls + excluded.calls,
    failed_calls = r.failed_calls + excluded.failed_calls,
    ai = r.ai + excluded.ai,
    human = r.human + excluded.human,
    adjacent = r.adjacent + excluded.adjacent,
    of_which_provisional = r.of_which_provisional + excluded.of_which_provisional,
    labour_hours = r.labour_hours + excluded.labour_hours,
    first_at = least(r.first_at, excluded.first_at),
    last_at = greatest(r.last_at, excluded.last_at)

-- name: add_to_agent_people
-- Events are added.
INSERT INTO agent_people AS p (tenant, month, agent, team, "user", events)
SELECT tenant, month, agent, team, "user", events
FROM json_populate_recordset(NULL::agent_people, $1::json) ORDER BY tenant, month, agent, team, "user"
ON CONFLICT (tenant, month, agent, team, "user") DO UPDATE SET events = p.events + excluded.events
