-- name: act_for
-- For one transaction, which lasts as long as its reader takes. Who reads nothing for a minute loses the export, for
-- nothing that died meanwhile can be tidied up while a snapshot stands.
SELECT set_config('app.tenant', $1, true), set_config('statement_timeout', '10min', true),
    set_config('idle_in_transaction_session_timeout', '60s', true), set_config('plan_cache_mode', 'force_custom_plan', true),
    set_config('work_mem', '32MB', true), set_config('random_page_cost', '1.1', true),
    set_config('cursor_tuple_fraction', '1', true)

-- name: snapshot
-- This transaction's, for another.
SELECT pg_export_snapshot()

-- name: spent
-- What the book says of the pieces $2 to $4 of tenant $1's time, which are the days of the export.
SELECT currency, sum(list) AS list, sum(contracted) AS contracted, sum(effective) AS effective
FROM spent($1, $2, $3, $4) GROUP BY currency

-- name: booked
-- The same from entries, where rollups are too coarse for days in UTC.
SELECT currency, sum(list) AS list, sum(contracted) AS contracted, sum(effective) AS effective
FROM entries WHERE tenant = $1 AND occurred_at >= $2 AND occurred_at < $3 AND recorded_on >= recorded_from($2) GROUP BY currency

-- name: folded
-- The same from cells; how many digits the longest figure has before its point and after it; and on which days there are
-- rows of bills.
SELECT currency, sum(list) AS list, sum(contracted) AS contracted, sum(effective) AS effective, count(*) AS rows,
    max(greatest(abs(list), abs(contracted), abs(effective), abs(list_priced), abs(contracted_priced), quantity)) AS largest,
    max(greatest(min_scale(list), min_scale(contracted), min_scale(effective), min_scale(list_priced),
        min_scale(contracted_priced), min_scale(effective_priced), min_scale(quantity))) AS places,
    array_agg(DISTINCT day) FILTER (WHERE unit = 'charge') AS billed_days
FROM cells WHERE tenant = $1 AND day >= $2 AND day < $3 GROUP BY currency

-- name: corrected_days
-- On which days of [$2, $3) something lies that was corrected after its month had ended. Corrections have an index of
-- their own: that of the corrector's entries. A true-up corrects nothing: it is worked out when its days are over.
SELECT DISTINCT (occurred_at AT TIME ZONE 'UTC')::date AS day FROM entries
WHERE origin_partition = -1 AND seq >= 0 AND tenant = $1 AND occurred_at >= $2 AND occurred_at < $3
    AND recorded_on >= recorded_from($2) AND recorded_at >= (date_trunc('month', occurred_at AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC'

-- name: carried_days
-- Of which days (where they begin) near [$2, $3) something was booked in which other accounting period.
SELECT DISTINCT bucket, accounting_period FROM carried
WHERE tenant = $1 AND bucket >= $2::timestamptz - interval '3 days' AND bucket < $3 ORDER BY bucket, accounting_period

-- part: carried
-- The days from..until of which something was booked in a period that is not theirs.
unnest($5::timestamptz[], $6::timestamptz[], $7::date[]) AS c (since, until, period)

-- name: carried_entries
-- What was booked of [$2, $3) in other accounting periods: as `corrections`, and where. $4: when its month ended.
SELECT c.period, e.seq, e.occurred_at, e.tenant, e.series_id, e.status, e.currency, e.list::text, e.contracted::text,
    e.effective::text,
    {stated_event} AS event,
    {reversed_lines} AS lines
FROM {carried} JOIN entries e ON e.tenant = $1 AND e.occurred_at >= greatest(c.since, $2) AND e.occurred_at < least(c.until, $3)
    AND e.accounting_period = c.period AND e.recorded_on >= recorded_from($2) AND $4::timestamptz IS NOT NULL

-- name: corrections
-- Those of [$2, $3), recorded since $4, in their own period: a reversal with what it reverses, a replacement with the event
-- last stated.
SELECT e.seq, e.occurred_at, e.tenant, e.series_id, e.status, e.currency, e.list::text, e.contracted::text,
    e.effective::text,
    {stated_event} AS event,
    {reversed_lines} AS lines
FROM entries e
WHERE e.origin_partition = -1 AND e.seq >= 0 AND e.tenant = $1 AND e.occurred_at >= $2 AND e.occurred_at < $3 AND e.recorded_at >= $4
    AND e.recorded_on >= recorded_from($2) AND NOT EXISTS (
        SELECT FROM {carried}
        WHERE e.occurred_at >= c.since AND e.occurred_at < c.until AND e.accounting_period = c.period)

-- name: cells
-- The rows of tenant $1 on the days [$2, $3), in the order of their key. Figures as texts: most are written as they are.
-- `others`: the other costs, in the order of `Costs`; null where all are one, as in nearly every row. `price`: the fields
-- of `MeterPrice`.
SELECT day, encode(cell_id, 'hex') AS cell_id, series_id, events,
    (quantity = 0 AND list = 0 AND contracted = 0 AND effective = 0 AND list_priced = 0) AS comes_to_nothing,
    quantity::text, list::text,
    CASE WHEN contracted = list AND effective = list AND list_priced = list AND contracted_priced = list
        AND effective_priced = list THEN NULL
    ELSE ARRAY[contracted, effective, list_priced, contracted_priced, effective_priced]::text[] END AS others,
    json_build_array(tier, region, batch, currency, unit, status, entry, factors, contracted_entry, reason, priced_in,
        contracted_in)::text AS price
FROM cells WHERE tenant = $1 AND day >= $2 AND day < $3 ORDER BY tenant, day, cell_id

-- name: true_ups
-- What periods change in [$2, $3) of tenant $1's, as `ListedTrueUp` has it.
SELECT (occurred_at AT TIME ZONE 'UTC')::date AS day, term, period_start, accounting_period, provider, cost_class, currency,
    sum(amount) AS amount
FROM true_ups WHERE tenant = $1 AND occurred_at >= $2 AND occurred_at < $3
GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4

-- name: true_up_standings
-- How tenant $1's terms stand in periods that reach into [$2, $3), as `TermStood` has it.
SELECT jsonb_build_object('term', p.term, 'effect', p.effect, 'provider', p.provider, 'cost_class', p.cost_class,
    'units', p.units, 'period_start', p.period_start, 'period_end', p.period_end, 'covered_to', p.covered_to, 'ended', p.ended,
    'currency', p.currency, 'counted', (CASE p.effect WHEN 'spend_commitment' THEN p.booked ELSE p.quantity END)::text,
    'used', p.used::text, 'unused', p.unused::text, 'due', p.due::text, 'booked', p.booked::text, 'trued_up', p.trued_up::text, 'provisional', p.missing,
    'refused', p.refused, 'body', coalesce(c.body, ''), 'revisions', coalesce((
        SELECT jsonb_agg(jsonb_build_object('amount', u.amount::text, 'currency', u.currency, 'covered_to', u.covered_to,
            'accounting_period', u.accounting_period, 'counted', u.counted::text, 'used', u.used::text,
            'unused', u.unused::text) ORDER BY u.revision)
        FROM true_ups u
        WHERE (u.tenant, u.term, u.period_start) = (p.tenant, p.term, p.period_start)), '[]'))::text AS standing
FROM true_up_periods p LEFT JOIN catalog_entries c ON c.id = p.term
WHERE p.tenant = $1 AND p.period_start < $3 AND p.period_end > $2
ORDER BY p.period_start, p.term

-- name: billed_series
-- Series that have rows of bills on the day $2.
SELECT DISTINCT series_id FROM cells WHERE tenant = $1 AND day = $2 AND unit = 'charge'

-- name: charges
-- The entries of the series $4 in [$2, $3), each event's in the order in which they were written.
SELECT occurred_at, identity, seq, series_id, recorded_at, status, currency, list::text, contracted::text, effective::text,
    event, accounting_period
FROM entries
WHERE tenant = $1 AND occurred_at >= $2 AND occurred_at < $3 AND recorded_on >= recorded_from($2)
    AND series_id = ANY ($4::bytea[])
ORDER BY occurred_at, identity, seq

-- name: series
-- What the series $2 say.
SELECT series_id, dimensions(s)::text AS dimensions FROM series s WHERE tenant = $1 AND series_id = ANY ($2::bytea[])
