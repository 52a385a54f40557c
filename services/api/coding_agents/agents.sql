-- name: costs
-- What was booked in the days [$2, $3) of UTC of the tools $4 (agents), and of every licence, by what tells seats apart.
SELECT s.agent, s.provider, s.sku, s.cost_class, s.team, c.currency,
    coalesce(sum(c.events) FILTER (WHERE c.unit = ''), 0)::bigint AS events,
    coalesce(sum(c.events) FILTER (WHERE c.unit = '' AND c.status = 'unpriced'), 0)::bigint AS unpriced_events,
    coalesce(sum(c.effective) FILTER (WHERE c.status = 'provisional'), 0) AS of_which_provisional,
    sum(c.effective) AS cost
FROM cells c JOIN series s USING (tenant, series_id)
WHERE c.tenant = $1 AND c.day >= $2 AND c.day < $3
    AND (s.agent = ANY ($4::text[]) OR s.agent = '' AND s.cost_class = 'licence')
GROUP BY s.agent, s.provider, s.sku, s.cost_class, s.team, c.currency
HAVING sum(c.events) FILTER (WHERE c.unit = '') <> 0 OR sum(c.effective) <> 0

-- name: sessions
-- How many runs of these tools did something in these days; each is its tool's and its team's by which it has most events.
-- $5: all tools, so that whose a run is does not depend on which are asked for.
WITH tools AS MATERIALIZED (
    SELECT DISTINCT ON (run) run, agent FROM (
        SELECT run, agent, sum(events) AS events FROM runs
        WHERE tenant = $1 AND agent = ANY ($5::text[]) AND agent <> '' AND last_at >= $2::date::timestamp AT TIME ZONE 'UTC'
            AND first_at < $3::date::timestamp AT TIME ZONE 'UTC'
        GROUP BY run, agent HAVING sum(events) > 0
    ) AS used ORDER BY run, events DESC, agent
), teams AS (
    SELECT DISTINCT ON (run) run, team FROM (
        SELECT run, team, sum(events) AS events FROM run_days JOIN tools USING (run)
        WHERE tenant = $1 AND day >= $2 AND day < $3 AND run <> '' GROUP BY run, team HAVING sum(events) > 0
    ) AS worked ORDER BY run, events DESC, team
)
SELECT agent, team, count(*) AS sessions FROM tools JOIN teams USING (run) WHERE agent = ANY ($4::text[])
GROUP BY agent, team

-- name: merged
-- Changes that were merged in these days, by outcomes named $6, each of the tool and team of its run, or where no tool's run
-- is known of those that it names itself; agent '' = it names none. What somebody refused or reversed, whenever that was, is
-- counted apart.
WITH said AS MATERIALIZED (
    SELECT identity AS about, run, coalesce(labels ->> 'agent', '') AS agent, coalesce(labels ->> 'team', '') AS team, count,
        accepted, occurred_at AS at
    FROM outcomes
    WHERE tenant = $1 AND kind = 'outcome' AND occurred_at >= $2::date::timestamp AT TIME ZONE 'UTC'
        AND occurred_at < $3::date::timestamp AT TIME ZONE 'UTC' AND name = ANY ($6::text[])
    UNION ALL
    SELECT CASE WHEN o.identity IS NULL THEN r.identity END, r.run, '', '', r.count, NULL, r.at
    FROM run_outcomes r LEFT JOIN outcomes o ON o.identity = r.identity AND o.kind = 'outcome'
    WHERE r.tenant = $1 AND r.at >= $2::date::timestamp AT TIME ZONE 'UTC'
        AND r.at < $3::date::timestamp AT TIME ZONE 'UTC' AND r.name = ANY ($6::text[]) AND r.events <> 0
), became AS (
    SELECT target, bool_or(kind = 'reversal') AS reversed,
        (array_agg(accepted ORDER BY occurred_at DESC, identity DESC) FILTER (WHERE kind = 'verdict'))[1] AS verdict
    FROM outcomes WHERE target IN (SELECT about FROM said) GROUP BY target
), named AS MATERIALIZED (
    SELECT DISTINCT run FROM said WHERE run <> ''
), tools AS (
    SELECT DISTINCT ON (run) run, agent FROM (
        SELECT run, agent, sum(events) AS events FROM runs JOIN named USING (run)
        WHERE tenant = $1 AND agent = ANY ($5::text[]) GROUP BY run, agent HAVING sum(events) > 0
    ) AS used ORDER BY run, events DESC, agent
), teams AS (
    SELECT DISTINCT ON (run) run, team FROM (
        SELECT run, team, sum(events) AS events FROM run_days JOIN named USING (run)
        WHERE tenant = $1 AND run <> '' GROUP BY run, team HAVING sum(events) > 0
    ) AS worked ORDER BY run, events DESC, team
), stated AS (
    SELECT coalesce(tools.agent, s.agent) AS agent, coalesce(teams.team, s.team) AS team,
        (s.at AT TIME ZONE 'UTC')::date AS day, s.count,
        NOT coalesce(reversed, false) AND coalesce(verdict, s.accepted, true) AS stands
    FROM said s LEFT JOIN became ON target = about LEFT JOIN tools USING (run) LEFT JOIN teams USING (run)
)
SELECT agent, team, day, coalesce(sum(count) FILTER (WHERE stands), 0) AS merged,
    coalesce(sum(count) FILTER (WHERE NOT stands), 0) AS taken_back
FROM stated WHERE agent = ANY ($4::text[]) OR agent = '' GROUP BY agent, team, day

-- name: names
-- What outcomes of these days are called, at most $4: of those named $5 all, then the most frequent.
SELECT name FROM (
    SELECT name, count FROM outcomes
    WHERE tenant = $1 AND kind = 'outcome' AND occurred_at >= $2::date::timestamp AT TIME ZONE 'UTC'
        AND occurred_at < $3::date::timestamp AT TIME ZONE 'UTC'
    UNION ALL
    SELECT name, count FROM run_outcomes
    WHERE tenant = $1 AND at >= $2::date::timestamp AT TIME ZONE 'UTC'
        AND at < $3::date::timestamp AT TIME ZONE 'UTC' AND events <> 0
) AS stated
GROUP BY name ORDER BY name <> ALL ($5::text[]), sum(count) DESC, name LIMIT $4

-- name: people
-- Who used these tools in the months that the days touch, by the pseudonym of the month.
SELECT agent, team, month, array_agg("user") AS users FROM agent_people
WHERE tenant = $1 AND month >= date_trunc('month', $2::date::timestamp)::date AND month < $3 AND agent = ANY ($4::text[])
    AND events > 0
GROUP BY agent, team, month

-- name: activity
-- How many seats of these licences were used on days of [$2, $3), as far as somebody has said so.
SELECT asset_id, day, active FROM seat_activity WHERE asset_id = ANY ($1::text[]) AND day >= $2 AND day < $3
ORDER BY asset_id, day
