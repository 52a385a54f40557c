-- part: folded
-- The entries that projection $1 says to have folded. A reversal is about the event and the lines of the entry before
-- it; a replacement without an event about the last one stated.
folded AS (
    SELECT e.tenant, e.identity, e.occurred_at, (e.occurred_at AT TIME ZONE 'UTC')::date AS day, e.series_id, e.status,
        e.currency,
        CASE e.seq % 2 WHEN 0 THEN 1 ELSE -1 END AS sign,
        CASE WHEN e.seq < 0 THEN 0 WHEN e.seq % 2 = 0 THEN 1 ELSE -1 END AS events, e.list, e.contracted, e.effective,
        CASE WHEN e.seq = 0 THEN e.event ELSE (
            SELECT s.event FROM entries s
            WHERE (s.occurred_at, s.identity) = (e.occurred_at, e.identity) AND s.seq <= e.seq AND s.event IS NOT NULL
            ORDER BY s.seq DESC LIMIT 1) END AS event,
        CASE e.seq % 2 WHEN 0 THEN e.lines ELSE (
            SELECT s.lines FROM entries s
            WHERE (s.occurred_at, s.identity) = (e.occurred_at, e.identity) AND s.seq = e.seq - 1) END AS lines
    FROM entries e JOIN projection_marks m
        ON m.projection = $1 AND m.partition = e.origin_partition AND e.origin_offset < m.next_offset
    WHERE m.account = (SELECT count(*) FROM closed_accounts c
        WHERE c.partition = e.origin_partition AND c.ended_at <= e.recorded_at)
)

-- name: standing
-- Where each projection that was ever begun stands in each partition, and where the book does.
SELECT b.projection, b.partition, coalesce(m.next_offset, 0) AS folded, b.book_offset AS booked
FROM (
    SELECT DISTINCT projection, p.partition, p.next_origin AS book_offset FROM projection_marks
    CROSS JOIN (SELECT partition, next_origin FROM positions UNION ALL SELECT -1, next_entry FROM corrector) AS p
) AS b LEFT JOIN projection_marks m ON (m.projection, m.partition) = (b.projection, b.partition)
    AND m.account = (SELECT count(*) FROM closed_accounts c WHERE c.partition = b.partition)

-- name: counts
-- How many rows are compared.
SELECT (SELECT count(*) FROM cells), (SELECT count(*) FROM runs), (SELECT count(*) FROM run_outcomes),
    (SELECT count(*) FROM user_months), (SELECT count(*) FROM quality_hours), (SELECT count(*) FROM run_days),
    (SELECT count(*) FROM agent_people), (SELECT count(*) FROM model_days), (SELECT count(*) FROM model_call_days)

-- name: cell_faults
-- Cells that are not the sum of the lines of their entries, and sums that have no cell; both sides of each. What lines
-- leave of an entry is worked out group by group: the sums of entries less those of their lines.
WITH {folded}, said AS (
    SELECT *, event -> 'data' -> 'usage' AS usage, coalesce(event #>> '{data,context,service_tier}', 'standard') AS tier,
        coalesce(event #>> '{data,context,region}', '') AS region,
        coalesce((event #> '{data,context,batch}')::boolean, false) AS batch
    FROM (
        SELECT tenant, day, series_id, status, currency, sign, events, list, contracted, effective,
            CASE WHEN pg_input_is_valid(event, 'jsonb') THEN event::jsonb END AS event,
            CASE WHEN pg_input_is_valid(lines, 'jsonb') THEN lines::jsonb ELSE '[]' END AS lines
        FROM folded OFFSET 0
    ) AS read
), parts AS (
    SELECT s.tenant, s.day, s.series_id, s.tier, s.region, s.batch, s.currency, s.status AS event_status, p.unit, p.status,
        p.entry, p.factors, p.contracted_entry, CASE p.entry WHEN '' THEN p.reason ELSE '' END AS reason,
        p.priced_in, coalesce(p.contracted_in, p.priced_in) AS contracted_in, sum(s.events) AS events,
        sum(s.sign * p.quantity) AS quantity, sum(s.sign * p.amount) AS list_priced,
        sum(s.sign * coalesce(p.agreed, p.amount)) AS contracted_priced, sum(s.sign * p.booked) AS list,
        sum(s.sign * CASE
            WHEN p.agreed IS NULL THEN p.booked
            WHEN coalesce(p.contracted_in, p.priced_in) = s.currency THEN p.agreed
            ELSE p.agreed_booked END) AS contracted
    FROM said s CROSS JOIN LATERAL (
        SELECT l ->> 'unit' AS unit, coalesce(l ->> 'status', 'priced') AS status, coalesce(l ->> 'entry', '') AS entry,
            CASE WHEN l ? 'multipliers' THEN (
                SELECT string_agg(f ->> 'entry', ' ' ORDER BY n)
                FROM jsonb_array_elements(l -> 'multipliers') WITH ORDINALITY AS of_line (f, n)) ELSE '' END AS factors,
            coalesce(l ->> 'contracted_entry', '') AS contracted_entry, coalesce(l ->> 'reason', '') AS reason,
            coalesce(l ->> 'currency', s.currency) AS priced_in, l ->> 'contracted_currency' AS contracted_in,
            coalesce(l ->> 'quantity', s.usage ->> (l ->> 'unit'), '0')::numeric AS quantity,
            coalesce(l ->> 'amount', '0')::numeric AS amount,
            CASE WHEN l ? 'amount' THEN (l ->> 'contracted_amount')::numeric END AS agreed,
            CASE WHEN coalesce(l ->> 'currency', s.currency) = s.currency THEN coalesce(l ->> 'amount', '0')::numeric
                ELSE coalesce(l ->> 'book_list', '0')::numeric END AS booked,
            coalesce(l ->> 'book_contracted', '0')::numeric AS agreed_booked
        FROM jsonb_array_elements(s.lines) AS of_event (l)
        UNION ALL
        SELECT u.unit, s.status, '', '', '', 'without a line of its own', s.currency, NULL,
            (u.quantity #>> '{}')::numeric, 0, NULL, 0, 0
        FROM jsonb_each(s.usage) AS u (unit, quantity)
        WHERE NOT s.lines @> jsonb_build_array(jsonb_build_object('unit', u.unit))
    ) AS p
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16
), of_lines AS (
    SELECT tenant, day, series_id, tier, region, batch, currency, event_status AS status, sum(list) AS list,
        sum(contracted) AS contracted
    FROM parts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), of_entries AS (
    SELECT tenant, day, series_id, tier, region, batch, currency, status, sum(events) AS events, sum(list) AS list,
        sum(contracted) AS contracted, sum(effective) AS effective
    FROM said GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
), should AS (
    SELECT tenant, day, series_id, tier, region, batch, currency, unit, status, entry, factors, contracted_entry, reason,
        priced_in, contracted_in, ARRAY[sum(events), sum(quantity), sum(list_priced), sum(contracted_priced),
            sum(contracted_priced), sum(list), sum(contracted), sum(contracted)] AS figures
    FROM parts GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    UNION ALL
    SELECT tenant, day, series_id, tier, region, batch, currency, '', status, '', '', '', '', currency, currency,
        ARRAY[e.events, 0, rest.list, rest.contracted, rest.effective, rest.list, rest.contracted, rest.effective]
    FROM of_entries e LEFT JOIN of_lines l USING (tenant, day, series_id, tier, region, batch, currency, status),
        LATERAL (SELECT e.list - coalesce(l.list, 0) AS list, e.contracted - coalesce(l.contracted, 0) AS contracted,
            e.effective - coalesce(l.contracted, 0) AS effective) AS rest
), has AS (
    SELECT tenant, day, series_id, tier, region, batch, currency, unit, status, entry, factors, contracted_entry, reason,
        priced_in, contracted_in, ARRAY[events, quantity, list_priced, contracted_priced, effective_priced, list,
            contracted, effective] AS figures
    FROM cells
)
SELECT tenant, day, series_id, unit, status, coalesce(nullif(entry, ''), reason) AS price, currency,
    has.figures AS said, should.figures AS should
FROM should FULL JOIN has USING (tenant, day, series_id, tier, region, batch, currency, unit, status, entry, factors,
    contracted_entry, reason, priced_in, contracted_in)
WHERE has.figures IS DISTINCT FROM should.figures

-- name: run_faults
-- Runs that are not the sum of their entries, and sums that have no run. An event without the word is of no run; one
-- that spells it otherwise is looked into.
WITH {folded}, of_runs AS (
    SELECT *, event #> '{data,labels}' AS labels FROM (
        SELECT tenant, occurred_at, status, currency, sign, list, contracted, effective,
            CASE WHEN pg_input_is_valid(event, 'jsonb') THEN event::jsonb END AS event
        FROM folded WHERE strpos(event, '"run"') > 0 OR strpos(event, '\u') > 0 OFFSET 0
    ) AS read
    WHERE event #>> '{data,labels,run}' <> ''
), should AS (
    SELECT tenant, labels ->> 'run' AS run, coalesce(labels ->> 'workflow', '') AS workflow,
        coalesce(labels ->> 'workflow_version', '') AS workflow_version,
        coalesce(event #>> '{data,cost_class}', 'model') AS cost_class, currency,
        coalesce(labels ->> 'agent', '') AS agent, event #>> '{data,provider}' AS provider, event #>> '{data,sku}' AS sku,
        coalesce(event #>> '{data,performance,status}', '') AS call_status,
        ARRAY[sum(sign), coalesce(sum(sign) FILTER (WHERE status = 'unpriced'), 0), sum(list), sum(contracted),
            sum(effective), coalesce(sum(effective) FILTER (WHERE status = 'provisional'), 0),
            coalesce(sum(sign) FILTER (WHERE event #>> '{data,performance,latency_ms}' IS NOT NULL), 0),
            coalesce(sum(sign * (event #>> '{data,performance,latency_ms}')::numeric), 0),
            coalesce(max((event #>> '{data,performance,latency_ms}')::numeric), 0)] AS figures,
        min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM of_runs GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
), has AS (
    SELECT tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku, call_status,
        ARRAY[events, unpriced_events, list, contracted, effective, of_which_provisional, timed_events, latency_ms,
            latency_ms_max] AS figures, first_at, last_at
    FROM runs
)
SELECT tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku, call_status,
    has.figures AS said, should.figures AS should
FROM should FULL JOIN has USING (tenant, run, workflow, workflow_version, cost_class, currency, agent, provider, sku,
    call_status)
WHERE (has.figures, has.first_at, has.last_at) IS DISTINCT FROM (should.figures, should.first_at, should.last_at)

-- name: outcome_faults
-- The same of what runs achieved.
WITH {folded}, of_runs AS (
    SELECT tenant, identity, occurred_at, sign, event #> '{data,labels}' AS labels, event #> '{data,outcome}' AS outcome
    FROM (
        SELECT tenant, identity, occurred_at, sign, CASE WHEN pg_input_is_valid(event, 'jsonb') THEN event::jsonb END AS event
        FROM folded WHERE strpos(event, '"outcome"') > 0 OR strpos(event, '\u') > 0 OFFSET 0
    ) AS read
    WHERE event #>> '{data,labels,run}' <> '' AND jsonb_typeof(event #> '{data,outcome}') = 'object'
), should AS (
    SELECT tenant, labels ->> 'run' AS run, coalesce(labels ->> 'workflow', '') AS workflow,
        coalesce(labels ->> 'workflow_version', '') AS workflow_version, outcome ->> 'name' AS name,
        coalesce(outcome #>> '{value,currency}', '') AS currency, identity,
        ARRAY[sum(sign), sum(sign * coalesce((outcome ->> 'count')::numeric, 1)),
            sum(sign * coalesce(outcome #>> '{value,amount}', '0')::numeric)] AS figures, min(occurred_at) AS at
    FROM of_runs GROUP BY 1, 2, 3, 4, 5, 6, 7
), has AS (
    SELECT tenant, run, workflow, workflow_version, name, currency, identity, ARRAY[events, count, value] AS figures,
        at
    FROM run_outcomes
)
SELECT tenant, run, workflow, workflow_version, name, currency, has.figures AS said, should.figures AS should
FROM should FULL JOIN has USING (tenant, run, workflow, workflow_version, name, currency, identity)
WHERE (has.figures, has.at) IS DISTINCT FROM (should.figures, should.at)

-- name: user_faults
-- The same of what people's months came to. Those that a month had no room for share a name, and are in no row.
WITH {folded}, of_users AS (
    SELECT tenant, date_trunc('month', occurred_at, 'UTC')::timestamptz AS month, status, currency, sign, effective,
        event #>> '{data,labels,user}' AS person
    FROM (
        SELECT tenant, occurred_at, status, currency, sign, effective,
            CASE WHEN pg_input_is_valid(event, 'jsonb') THEN event::jsonb END AS event
        FROM folded WHERE strpos(event, '"user"') > 0 OR strpos(event, '\u') > 0 OFFSET 0
    ) AS read
), should AS (
    SELECT tenant, (month AT TIME ZONE 'UTC')::date AS month, person, currency,
        ARRAY[sum(sign), sum(effective), coalesce(sum(effective) FILTER (WHERE status = 'provisional'), 0)] AS figures
    FROM of_users WHERE person NOT IN ('', '~other') GROUP BY 1, 2, 3, 4
), has AS (
    SELECT tenant, month, "user" AS person, currency, ARRAY[events, effective, of_which_provisional] AS figures
    FROM user_months
)
SELECT tenant, month, person, currency, has.figures AS said, should.figures AS should
FROM should FULL JOIN has USING (tenant, month, person, currency)
WHERE has.figures IS DISTINCT FROM should.figures

-- name: people_faults
-- The same of who used which of the coding agents $2, by team and month.
WITH {folded}, of_agents AS (
    SELECT tenant, date_trunc('month', occurred_at, 'UTC')::timestamptz AS month, sign, event #> '{data,labels}' AS labels
    FROM (
        SELECT tenant, occurred_at, sign, CASE WHEN pg_input_is_valid(event, 'jsonb') THEN event::jsonb END AS event
        FROM folded WHERE strpos(event, '"user"') > 0 OR strpos(event, '\u') > 0 OFFSET 0
    ) AS read
), should AS (
    SELECT tenant, (month AT TIME ZONE 'UTC')::date AS month, labels ->> 'agent' AS agent,
        coalesce(labels ->> 'team', '') AS team, labels ->> 'user' AS person, ARRAY[sum(sign)] AS figures
    FROM of_agents WHERE labels ->> 'agent' = ANY ($2::text[]) AND labels ->> 'user' NOT IN ('', '~other')
    GROUP BY 1, 2, 3, 4, 5
), has AS (
    SELECT tenant, month, agent, team, "user" AS person, ARRAY[events] AS figures FROM agent_people
)
SELECT tenant, month, agent, team, person, has.figures AS said, should.figures AS should
FROM should FULL JOIN has USING (tenant, month, agent, team, person)
WHERE has.figures IS DISTINCT FROM should.figures

-- name: quality_faults
-- The same of how calls went. $2 the units that count toward a context, $3 its marks in order. A latency's bucket is its
-- six leading binary digits, and how many follow.
WITH {folded}, of_calls AS (
    SELECT tenant, date_trunc('hour', occurred_at, 'UTC') AS hour, series_id, sign,
        coalesce(event #>> '{data,performance,status}', '') AS call_status,
        (SELECT coalesce(sum((event #> '{data,usage}' ->> unit)::numeric), 0) FROM unnest($2::text[]) AS unit) AS context,
        (event #>> '{data,performance,latency_ms}')::bigint AS ms
    FROM (
        SELECT tenant, occurred_at, series_id, sign,
            CASE WHEN pg_input_is_valid(event, 'jsonb') THEN event::jsonb END AS event
        FROM folded WHERE events <> 0 OFFSET 0
    ) AS read
    WHERE event #>> '{data,provider}' <> ''
        AND coalesce(event #>> '{data,cost_class}', 'model') NOT IN ('labour', 'hardware', 'licence')
        AND coalesce(event #>> '{data,cadence}', 'live') NOT IN ('accrual', 'bill')
), should AS (
    SELECT tenant, hour, series_id, call_status,
        coalesce((SELECT max(mark) FROM unnest($3::int[]) AS mark WHERE mark < context), 0) AS over_context,
        CASE WHEN ms IS NULL THEN -1 ELSE 32 * further + (ms >> further) END AS latency, ARRAY[sum(sign)] AS figures
    FROM of_calls,
        LATERAL (SELECT greatest(0, length(ltrim(ms::bit(64)::text, '0')) - 6) AS further) AS digits
    GROUP BY 1, 2, 3, 4, 5, 6
), has AS (
    SELECT tenant, hour, series_id, call_status, over_context, latency::bigint AS latency, ARRAY[calls] AS figures
    FROM quality_hours
)
SELECT tenant, hour, series_id, call_status, over_context, latency, has.figures AS said, should.figures AS should
FROM should FULL JOIN has USING (tenant, hour, series_id, call_status, over_context, latency)
WHERE has.figures IS DISTINCT FROM should.figures

-- name: model_day_faults
-- Sums by model and day that are not those of the cells; both sides of each, of which what came to nothing is nothing.
WITH should AS (
    SELECT tenant, day, provider, sku, tier, region, batch, currency, unit, status, entry,
        ARRAY[sum(events), sum(quantity), sum(list), sum(effective)] AS figures
    FROM cells JOIN series USING (tenant, series_id) WHERE cost_class = 'model'
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
), has AS (
    SELECT tenant, day, provider, sku, tier, region, batch, currency, unit, status, entry,
        ARRAY[events, quantity, list, effective] AS figures
    FROM model_days
), compared AS (
    SELECT tenant, day, provider, sku, currency, unit, status, entry AS price,
        coalesce(has.figures, '{0,0,0,0}') AS said, coalesce(should.figures, '{0,0,0,0}') AS should
    FROM should FULL JOIN has USING (tenant, day, provider, sku, tier, region, batch, currency, unit, status, entry)
)
SELECT * FROM compared WHERE said <> should

-- name: model_call_faults
-- The same of how calls of a model went in a day.
WITH should AS (
    SELECT tenant, (hour AT TIME ZONE 'UTC')::date AS day, provider, sku, call_status, over_context, latency,
        sum(calls)::bigint AS figure
    FROM quality_hours JOIN series USING (tenant, series_id) WHERE cost_class = 'model'
    GROUP BY 1, 2, 3, 4, 5, 6, 7
), compared AS (
    SELECT tenant, day, provider, sku, call_status, over_context, latency, ARRAY[coalesce(has.calls, 0)] AS said,
        ARRAY[coalesce(should.figure, 0)] AS should
    FROM should FULL JOIN model_call_days has USING (tenant, day, provider, sku, call_status, over_context, latency)
)
SELECT * FROM compared WHERE said <> should

-- name: run_day_faults
-- The same of what runs, and workflows without one, cost in a day.
WITH {folded}, of_days AS (
    SELECT *, event #> '{data,labels}' AS labels, coalesce(event #>> '{data,cost_class}', 'model') AS cost_class,
        coalesce(event #>> '{data,performance,status}', '') AS call_status,
        coalesce(event #>> '{data,cost_class}', 'model') NOT IN ('labour', 'hardware', 'licence')
            AND coalesce(event #>> '{data,cadence}', 'live') NOT IN ('accrual', 'bill') AS is_call
    FROM (
        SELECT tenant, day, occurred_at, status, currency, sign, effective,
            CASE WHEN pg_input_is_valid(event, 'jsonb') THEN event::jsonb END AS event
        FROM folded
        WHERE strpos(event, '"run"') > 0 OR strpos(event, '"workflow"') > 0 OR strpos(event, '\u') > 0 OFFSET 0
    ) AS read
    WHERE event #>> '{data,labels,run}' <> '' OR event #>> '{data,labels,workflow}' <> ''
), should AS (
    SELECT tenant, day, coalesce(labels ->> 'run', '') AS run, coalesce(labels ->> 'workflow', '') AS workflow,
        coalesce(labels ->> 'workflow_version', '') AS workflow_version, coalesce(labels ->> 'team', '') AS team, currency,
        ARRAY[sum(sign), coalesce(sum(sign) FILTER (WHERE status = 'unpriced'), 0),
            coalesce(sum(sign) FILTER (WHERE is_call), 0),
            coalesce(sum(sign) FILTER (WHERE is_call AND call_status NOT IN ('', 'ok')), 0),
            coalesce(sum(effective) FILTER (WHERE cost_class = 'model'), 0),
            coalesce(sum(effective) FILTER (WHERE cost_class = 'labour'), 0),
            coalesce(sum(effective) FILTER (WHERE cost_class NOT IN ('model', 'labour')), 0),
            coalesce(sum(effective) FILTER (WHERE status = 'provisional'), 0),
            coalesce(sum(sign * (event #>> '{data,usage,labour_hours}')::numeric) FILTER (WHERE cost_class = 'labour'), 0)
        ] AS figures,
        min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM of_days GROUP BY 1, 2, 3, 4, 5, 6, 7
), has AS (
    SELECT tenant, day, run, workflow, workflow_version, team, currency,
        ARRAY[events, unpriced_events, calls, failed_calls, ai, human, adjacent, of_which_provisional, labour_hours]
            AS figures, first_at, last_at
    FROM run_days
)
SELECT tenant, day, run, workflow, workflow_version, team, currency, has.figures AS said, should.figures AS should
FROM should FULL JOIN has USING (tenant, day, run, workflow, workflow_version, team, currency)
WHERE (has.figures, has.first_at, has.last_at) IS DISTINCT FROM (should.figures, should.first_at, should.last_at)
