-- name: list
-- Versions of workflows that did something in [$1, $2), those that did most first; at most $3. first_day: ever.
SELECT v.*, (
    SELECT min(day) FROM workflow_days d WHERE d.workflow = v.workflow AND d.workflow_version = v.version
) AS first_day
FROM (
    SELECT workflow, workflow_version AS version, sum(runs)::bigint AS runs, max(day) AS last_day
    FROM workflow_days WHERE day >= $1 AND day < $2
    GROUP BY workflow, workflow_version ORDER BY sum(runs) DESC, workflow, workflow_version LIMIT $3
) AS v ORDER BY runs DESC, workflow, version

-- name: first_days
-- When the versions $2 of the workflow $1 came, however long ago that is.
SELECT version, (
    SELECT min(day) FROM workflow_days d WHERE d.workflow = $1 AND d.workflow_version = v.version
) AS first_day
FROM unnest($2::text[]) AS v (version)

-- name: versions
-- Versions of the workflow $1 that did something in [$2, $3), the one with most runs first; at most $4.
SELECT workflow_version AS version, sum(runs)::bigint AS runs FROM workflow_days
WHERE workflow = $1 AND day >= $2 AND day < $3 GROUP BY workflow_version ORDER BY sum(runs) DESC, version LIMIT $4

-- name: names
-- What outcomes of the workflow $1 are called in [$2, $3).
SELECT name, sum(outcomes) AS outcomes FROM workflow_outcome_days
WHERE workflow = $1 AND day >= $2 AND day < $3 GROUP BY name HAVING sum(outcomes) > 0
ORDER BY sum(outcomes) DESC, name LIMIT 20

-- part: of_costs
-- What they came to.
sum(runs)::bigint AS runs, sum(events)::bigint AS events,
    sum(unpriced_events)::bigint AS unpriced_events, sum(calls)::bigint AS calls, sum(failed_calls)::bigint AS failed_calls,
    sum(ai) AS ai, sum(human) AS human, sum(adjacent) AS adjacent, sum(without_run) AS without_run,
    sum(of_which_provisional) AS of_which_provisional, sum(labour_hours) * 60 AS human_minutes,
    sum(cycle_runs)::bigint AS cycle_runs, sum(cycle_s) AS cycle_s

-- part: asked
-- Of the workflows $1 days from $3 on before the day $2 of each; its outcomes named $4, as they stood $5 days after their day;
-- with $6 what nobody refused or reversed by then counts as accepted.
unnest($1::text[], $2::date[], $4::text[], $5::int[], $6::bool[]) AS a (workflow, mature, name, survival, silence)

-- name: costs
-- What the versions $4 of the workflow $1 came to in [$2, $3) (of the team $5; null = of all), by day.
SELECT workflow_version AS version, day, currency, {of_costs}
FROM workflow_days
WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = ANY ($4::text[]) AND ($5::text IS NULL OR team = $5)
GROUP BY workflow_version, day, currency

-- part: of_outcomes
-- Of outcomes as they stood so many days after their day (survival); what was said after that is counted by itself.
coalesce(sum(outcomes) FILTER (WHERE lag <= survival), 0) AS outcomes,
    coalesce(sum(CASE WHEN silence THEN outcomes - refused - reversed ELSE accepted END) FILTER (WHERE lag <= survival), 0)
        AS accepted,
    coalesce(sum(refused) FILTER (WHERE lag <= survival), 0) AS refused,
    coalesce(sum(reversed) FILTER (WHERE lag <= survival), 0) AS reversed,
    coalesce(sum(reversed) FILTER (WHERE lag > survival), 0) AS reversed_later,
    coalesce(sum(accepted) FILTER (WHERE lag > survival), 0) AS accepted_later,
    coalesce(sum(CASE WHEN silence THEN value - value_gone ELSE value_accepted END) FILTER (WHERE lag <= survival), 0) AS value,
    coalesce(sum(CASE WHEN silence THEN runs_alive ELSE runs_accepted END) FILTER (WHERE lag <= survival), 0) AS successes

-- name: outcomes
-- What became of their outcomes named $6, by day, as they stood $7 days after their day; with $8 what nobody refused or
-- reversed by then counts as accepted.
SELECT workflow_version AS version, day, currency, {of_outcomes}
FROM workflow_outcome_days, (SELECT $7::int AS survival, $8::bool AS silence) AS s
WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = ANY ($4::text[]) AND ($5::text IS NULL OR team = $5)
    AND name = $6
GROUP BY workflow_version, day, currency

-- name: listed_names
-- What outcomes of workflows are called in [$1, $2).
SELECT workflow, name FROM workflow_outcome_days WHERE day >= $1 AND day < $2
GROUP BY workflow, name HAVING sum(outcomes) > 0 ORDER BY workflow, sum(outcomes) DESC, name

-- name: listed_costs
-- What versions of several workflows came to, by day.
SELECT d.workflow, workflow_version AS version, day, currency, {of_costs}
FROM workflow_days d JOIN {asked} USING (workflow) WHERE day >= $3 AND day < mature
GROUP BY d.workflow, workflow_version, day, currency

-- name: listed_outcomes
-- What became of their outcomes, by day.
SELECT d.workflow, workflow_version AS version, day, currency, {of_outcomes}
FROM workflow_outcome_days d JOIN {asked} USING (workflow, name) WHERE day >= $3 AND day < mature
GROUP BY d.workflow, workflow_version, day, currency

-- name: by_team
-- Of the same, cost and accepted outcomes by team: the $9 that have most runs, those beyond added up as null.
WITH teams AS MATERIALIZED (
    SELECT team FROM workflow_days WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = ANY ($4::text[])
    GROUP BY team ORDER BY sum(runs) DESC, team LIMIT $9
)
SELECT version, day, t.team, sum(cost) AS cost, sum(accepted) AS accepted
FROM (
    SELECT workflow_version AS version, day, team, ai + human + adjacent AS cost, 0 AS accepted FROM workflow_days
    WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = ANY ($4::text[]) AND ($5::text IS NULL OR team = $5)
    UNION ALL
    SELECT workflow_version, day, team, 0, CASE WHEN $8 THEN outcomes - refused - reversed ELSE accepted END
    FROM workflow_outcome_days
    WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = ANY ($4::text[]) AND ($5::text IS NULL OR team = $5)
        AND name = $6 AND lag <= $7
) AS both_sides LEFT JOIN teams t USING (team)
GROUP BY version, day, t.team

-- name: dearest
-- What the $9 dearest runs of the version $4 in [$2, $3) (of the team $5) in the currency $10 came to together, as above; and
-- whether it is these: of each day its dearest runs alone are kept, so one that is not may be dearer than the last of them.
WITH top AS MATERIALIZED (
    SELECT cost, calls, ai, human, adjacent, labour_hours, outcomes FROM workflow_dear_runs
    WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = $4 AND ($5::text IS NULL OR team = $5)
        AND currency = $10
    ORDER BY cost DESC LIMIT $9
), achieved AS (
    SELECT sum(s.outcomes - s.reversed) AS kept,
        sum(CASE WHEN $8 THEN s.outcomes - s.refused - s.reversed ELSE s.accepted END) AS accepted,
        sum(CASE WHEN $8 THEN s.runs_alive ELSE s.runs_accepted END)::bigint AS successes
    FROM top, jsonb_to_recordset(top.outcomes) AS s (name text, lag int, outcomes numeric, accepted numeric, refused numeric,
        reversed numeric, runs_accepted bigint, runs_alive bigint)
    WHERE s.name = $6 AND s.lag <= $7
), beyond AS (
    SELECT min(d.cost) AS most FROM workflow_dear_runs d
    WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = $4 AND currency = $10
    GROUP BY day HAVING count(*) < (
        SELECT sum(runs) FROM workflow_days w WHERE w.workflow = $1 AND w.workflow_version = $4 AND w.day = d.day)
)
SELECT t.runs = $9 AND NOT EXISTS (SELECT FROM beyond WHERE most > (SELECT min(cost) FROM top)) AS are_these,
    t.*, coalesce(kept, 0) AS kept, coalesce(a.accepted, 0) AS accepted, coalesce(successes, 0) AS successes
FROM (
    SELECT count(*) AS runs, coalesce(sum(cost), 0) AS cost, coalesce(sum(calls), 0)::bigint AS calls,
        coalesce(sum(ai), 0) AS ai, coalesce(sum(human), 0) AS human, coalesce(sum(adjacent), 0) AS adjacent,
        coalesce(sum(labour_hours), 0) * 60 AS human_minutes
    FROM top
) AS t, achieved a

-- name: dear_runs
-- The dearest runs of the versions $4 of the workflow $1 in [$2, $3) (of the team $5), the $6 dearest of each currency. Of
-- each day more are kept than that; of one team alone they are told as far as it is known that none of it is dearer.
WITH sides AS (
    SELECT workflow_version AS version, currency FROM workflow_days
    WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = ANY ($4::text[]) GROUP BY 1, 2
), beyond AS MATERIALIZED (
    SELECT version, currency, max(least) AS most FROM (
        SELECT workflow_version AS version, currency, day, min(cost) AS least, count(*) AS kept FROM workflow_dear_runs
        WHERE $5::text IS NOT NULL AND workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = ANY ($4::text[])
        GROUP BY 1, 2, 3
    ) AS of_day
    WHERE kept < (SELECT sum(runs) FROM workflow_days w
        WHERE w.workflow = $1 AND w.workflow_version = of_day.version AND w.day = of_day.day)
    GROUP BY 1, 2
)
SELECT s.version, s.currency, r.* FROM sides s LEFT JOIN beyond b USING (version, currency) CROSS JOIN LATERAL (
    SELECT run, team, day, calls, cost, ai, human, adjacent FROM workflow_dear_runs d
    WHERE workflow = $1 AND workflow_version = s.version AND d.currency = s.currency AND day >= $2 AND day < $3
        AND ($5::text IS NULL OR team = $5) AND (b.most IS NULL OR cost >= b.most)
    ORDER BY cost DESC LIMIT $6
) AS r ORDER BY version, currency, cost DESC, run

-- name: due
-- Whether moments of days in [$1, $2) are to be made again, or will be: of runs that have changed, where these were.
SELECT EXISTS (SELECT FROM workflow_days_due WHERE day >= $1 AND day < $2)
    OR EXISTS (
        SELECT FROM run_days_due d WHERE d.day >= $1 AND d.day < $2
            OR EXISTS (SELECT FROM run_days r WHERE r.run <> '' AND r.run = d.run AND r.day >= $1 AND r.day < $2))
