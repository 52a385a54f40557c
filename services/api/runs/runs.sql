-- name: sums
-- What the run $1 cost and how its calls went, in seven ways at once; of each the first $2 groups, and how many there
-- are. `way` 'all' has no currency: it is for counts and times alone. What accrues or is measured by the hour is no call.
SELECT * FROM (
    SELECT CASE GROUPING(currency, cost_class, sku, agent, workflow, call_status)
            WHEN 63 THEN 'all' WHEN 31 THEN 'currency' WHEN 15 THEN 'class' WHEN 7 THEN 'model' WHEN 27 THEN 'agent'
            WHEN 29 THEN 'workflow' WHEN 62 THEN 'status' END AS way,
        currency, cost_class, provider, sku, agent, workflow, workflow_version, call_status,
        sum(events)::bigint AS events,
        coalesce(sum(events) FILTER (WHERE cost_class NOT IN ('labour', 'hardware', 'licence')), 0)::bigint AS calls,
        sum(unpriced_events)::bigint AS unpriced_events, sum(list) AS list,
        sum(contracted) AS contracted, sum(effective) AS effective, sum(of_which_provisional) AS of_which_provisional,
        min(first_at) AS first_at, max(last_at) AS last_at, sum(timed_events)::bigint AS timed_events,
        sum(latency_ms) AS latency_ms, max(latency_ms_max) AS latency_ms_max,
        row_number() OVER (PARTITION BY GROUPING(currency, cost_class, sku, agent, workflow, call_status)
            ORDER BY sum(effective) DESC, sum(events) DESC, currency, cost_class, provider, sku, agent, workflow,
                workflow_version, call_status) AS place,
        count(*) OVER (PARTITION BY GROUPING(currency, cost_class, sku, agent, workflow, call_status)) AS groups
    FROM runs WHERE run = $1
    GROUP BY GROUPING SETS ((), (currency), (currency, cost_class), (currency, cost_class, provider, sku),
        (currency, agent), (currency, workflow, workflow_version), (call_status))
    HAVING GROUPING(currency, cost_class, sku, agent, workflow, call_status) = 63 AND count(*) > 0
        OR sum(events) <> 0 OR sum(list) <> 0 OR sum(effective) <> 0
) AS found
WHERE place <= $2 ORDER BY way, place

-- part: stated
-- What the run $1 achieved, by outcome events and by usage events that state it, each with what became of it since: the
-- latest verdict holds, and a reversal is for good. An id that both have is the outcome event's. What is about them is
-- read at once: a run may have any number.
said AS MATERIALIZED (
    SELECT name, currency, count, value, occurred_at AS at, accepted, identity AS about FROM outcomes
    WHERE run = $1 AND kind = 'outcome'
    UNION ALL
    SELECT r.name, r.currency, r.count, r.value, r.at, NULL, CASE WHEN o.identity IS NULL THEN r.identity END
    FROM run_outcomes r LEFT JOIN outcomes o ON o.identity = r.identity AND o.kind = 'outcome'
    WHERE r.run = $1 AND r.events <> 0
), became AS (
    SELECT target, bool_or(kind = 'reversal') AS reversed,
        (array_agg(accepted ORDER BY occurred_at DESC, identity DESC) FILTER (WHERE kind = 'verdict'))[1] AS verdict
    FROM outcomes WHERE target IN (SELECT about FROM said) GROUP BY target
), stated AS (
    SELECT name, currency, count, value, at, coalesce(reversed, false) AS reversed, coalesce(verdict, accepted) AS verdict
    FROM said LEFT JOIN became ON target = about
)

-- name: outcomes
-- The same added up by name, the first $2, and how many there are, with what they are worth by currency. What was reversed
-- is in no other count.
WITH {stated}
SELECT name, sum(stated) AS stated, sum(reversed) AS reversed, sum(accepted) AS accepted, sum(refused) AS refused,
    sum(open) AS open, min(first_at) AS first_at, max(last_at) AS last_at, count(*) OVER () AS groups,
    coalesce(array_agg(currency ORDER BY currency) FILTER (WHERE currency <> ''), '{}') AS currencies,
    coalesce(array_agg(value ORDER BY currency) FILTER (WHERE currency <> ''), '{}') AS values,
    coalesce(array_agg(value_accepted ORDER BY currency) FILTER (WHERE currency <> ''), '{}') AS values_accepted
FROM (
    SELECT name, currency, sum(count) AS stated, coalesce(sum(count) FILTER (WHERE reversed), 0) AS reversed,
        coalesce(sum(count) FILTER (WHERE NOT reversed AND verdict), 0) AS accepted,
        coalesce(sum(count) FILTER (WHERE NOT reversed AND NOT verdict), 0) AS refused,
        coalesce(sum(count) FILTER (WHERE NOT reversed AND verdict IS NULL), 0) AS open,
        coalesce(sum(value) FILTER (WHERE NOT reversed), 0) AS value,
        coalesce(sum(value) FILTER (WHERE NOT reversed AND verdict), 0) AS value_accepted,
        min(at) AS first_at, max(at) AS last_at
    FROM stated GROUP BY name, currency
) AS by_currency
GROUP BY name ORDER BY sum(stated) DESC, name LIMIT $2

-- name: dangling
-- Verdicts and reversals that say to be of the run $1, about outcomes that nobody has heard of.
SELECT count(*) FROM outcomes v
WHERE v.run = $1 AND v.target IS NOT NULL
    AND NOT EXISTS (SELECT FROM outcomes o WHERE o.identity = v.target AND o.kind = 'outcome')
    AND find_occurred_at(v.target) IS NULL

-- name: events
-- The newest events in force of the run $1 in [$2, $3], at most $4. A series has what a run is told apart by, but not
-- the run: that the event says.
WITH of_run AS MATERIALIZED (
    SELECT series_id FROM series s WHERE (s.cost_class, s.provider, s.sku, s.workflow, s.workflow_version, s.agent) IN (
        SELECT cost_class, provider, sku, workflow, workflow_version, agent FROM runs WHERE run = $1)
)
SELECT p.occurred_at AS time, p.recorded_at, p.identity, p.seq, p.catalog_version, p.accounting_period, p.status,
    p.currency, p.list, p.contracted, p.effective, p.about::json ->> 'source' AS source,
    p.about::json ->> 'id' AS id, dimensions(s) AS dimensions
FROM (
    SELECT e.*, {stated_event} AS about
    FROM entries e
    WHERE e.recorded_on >= recorded_from($2) AND e.occurred_at >= $2 AND e.occurred_at <= $3 AND e.series_id IN (SELECT series_id FROM of_run)
        AND e.seq % 2 = 0 AND NOT EXISTS (
            SELECT FROM entries r
            WHERE r.recorded_on >= e.recorded_on AND r.occurred_at = e.occurred_at AND r.identity = e.identity
                AND r.seq = e.seq + 1)
) AS p JOIN series s USING (tenant, series_id)
WHERE CASE WHEN pg_input_is_valid(p.about, 'json') THEN p.about::json #>> '{data,labels,run}' = $1 END
ORDER BY p.occurred_at DESC, p.identity DESC LIMIT $4
