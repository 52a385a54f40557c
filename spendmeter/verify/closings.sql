-- name: closings
-- Every closing of a period, and how far it is.
SELECT tenant, period, number, asked_at, reopened_at, d.closed_at
FROM period_closings c LEFT JOIN closed_periods d USING (tenant, period, number)

-- part: placed
-- Entries of tenants that ever closed a period, with the month of their day and the period in which they count: since the
-- first closing the one that they name, before it that of the day. A booking that began within ten minutes of the asking may
-- have seen it or not: that it carried something says that it has. All that one booking writes is recorded when it began.
first AS (SELECT tenant, min(asked_at) AS at FROM period_closings GROUP BY tenant), placed AS (
    SELECT e.tenant, e.currency, m.month, CASE
            WHEN e.accounting_period = m.month OR e.recorded_at < f.at - interval '10 minutes' THEN m.month
            WHEN e.recorded_at > f.at + interval '10 minutes' OR EXISTS (
                SELECT FROM carried c
                WHERE c.tenant = e.tenant AND c.accounting_period = e.accounting_period AND c.partition = e.origin_partition
                    AND c.recorded_at = e.recorded_at AND c.next_offset > e.origin_offset) THEN e.accounting_period
            ELSE m.month END AS period,
        CASE WHEN e.seq >= 0 THEN 1 - 2 * (e.seq % 2)::bigint ELSE 0 END AS events, e.list, e.contracted, e.effective
    FROM entries e JOIN first f USING (tenant), LATERAL (
        SELECT greatest(date_trunc('month', e.occurred_at AT TIME ZONE t.zone)::date,
            (SELECT date_trunc('month', t.effective_from AT TIME ZONE b.zone)::date FROM tenant_terms b
            WHERE b.tenant = e.tenant AND b.effective_to = t.effective_from AND b.zone <> t.zone)) AS month
        FROM tenant_terms t
        WHERE t.tenant = e.tenant AND t.effective_from <= e.occurred_at AND t.effective_to > e.occurred_at
        UNION ALL
        SELECT date_trunc('month', e.occurred_at AT TIME ZONE 'UTC')::date
        WHERE NOT EXISTS (SELECT FROM tenant_terms t
            WHERE t.tenant = e.tenant AND t.effective_from <= e.occurred_at AND t.effective_to > e.occurred_at)
    ) AS m
)

-- name: carried_faults
-- What was carried from one month into another, where that is not the sum of the entries.
WITH {placed}, should AS (
    SELECT tenant, period, currency, sum(events) AS events, sum(list) AS list, sum(contracted) AS contracted,
        sum(effective) AS effective
    FROM placed WHERE period <> month GROUP BY 1, 2, 3
), said AS (
    SELECT tenant, accounting_period AS period, currency, sum(events) AS events, sum(list) AS list,
        sum(contracted) AS contracted, sum(effective) AS effective
    FROM carried GROUP BY 1, 2, 3
)
SELECT tenant, period, currency, ARRAY[s.events, s.list, s.contracted, s.effective] AS said,
    ARRAY[d.events, d.list, d.contracted, d.effective] AS should
FROM should d FULL JOIN said s USING (tenant, period, currency)
WHERE coalesce(s.events, 0) <> coalesce(d.events, 0) OR coalesce(s.list, 0) <> coalesce(d.list, 0)
    OR coalesce(s.contracted, 0) <> coalesce(d.contracted, 0) OR coalesce(s.effective, 0) <> coalesce(d.effective, 0)

-- name: closing_faults
-- Closings in force of which what was written down is not the sum of the period's entries.
WITH {placed}, should AS (
    SELECT tenant, period, currency, sum(events) AS events, sum(list) AS list, sum(contracted) AS contracted,
        sum(effective) AS effective
    FROM placed JOIN period_closings c USING (tenant, period) JOIN closed_periods d USING (tenant, period, number)
    WHERE c.reopened_at IS NULL AND d.closed_at IS NOT NULL GROUP BY 1, 2, 3
), said AS (
    SELECT s.tenant, s.period, s.currency, s.events, s.list, s.contracted, s.effective
    FROM closing_sums s JOIN period_closings c USING (tenant, period, number) WHERE c.reopened_at IS NULL
)
SELECT tenant, period, currency, ARRAY[s.events, s.list, s.contracted, s.effective] AS said,
    ARRAY[d.events, d.list, d.contracted, d.effective] AS should
FROM should d FULL JOIN said s USING (tenant, period, currency)
WHERE coalesce(s.events, 0) <> coalesce(d.events, 0) OR coalesce(s.list, 0) <> coalesce(d.list, 0)
    OR coalesce(s.contracted, 0) <> coalesce(d.contracted, 0) OR coalesce(s.effective, 0) <> coalesce(d.effective, 0)
