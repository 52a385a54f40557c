-- name: list
-- Versions of workflows that did something in [$1, $2), those that did most first; at most $3.
SELECT workflow, workflow_version AS version, sum(runs)::bigint AS runs, min(day) AS first_day, max(day) AS last_day
FROM workflow_days WHERE day >= $1 AND day < $2
GROUP BY workflow, workflow_version ORDER BY sum(runs) DESC, workflow, workflow_version LIMIT $3

-- name: versions
-- Versions of the workflow $1 that did something in [$2, $3), the one with most runs first; at most $4.
SELECT workflow_version AS version, sum(runs)::bigint AS runs FROM workflow_days
WHERE workflow = $1 AND day >= $2 AND day < $3 GROUP BY workflow_version ORDER BY sum(runs) DESC, version LIMIT $4

-- name: names
-- What outcomes of the workflow $1 are called in [$2, $3).
SELECT name, sum(outcomes) AS outcomes FROM workflow_outcome_days
WHERE workflow = $1 AND day >= $2 AND day < $3 GROUP BY name HAVING sum(outcomes) > 0
ORDER BY sum(outcomes) DESC, name LIMIT 20

-- part: teams
-- The teams of the workflow $1 in [$2, $3) that did most; those beyond $6 are added up as one.
teams AS MATERIALIZED (
    SELECT team FROM workflow_days WHERE workflow = $1 AND day >= $2 AND day < $3
    GROUP BY team ORDER BY sum(runs) DESC, team LIMIT $6
)

-- name: costs
-- What the versions $4 of the workflow $1 came to in [$2, $3) (of the team $5; null = of all), by day and team.
WITH {teams}
SELECT workflow_version AS version, day, t.team, currency, sum(runs) AS runs, sum(events) AS events,
    sum(unpriced_events) AS unpriced_events, sum(calls) AS calls, sum(failed_calls) AS failed_calls, sum(ai) AS ai,
    sum(human) AS human, sum(adjacent) AS adjacent, sum(without_run) AS without_run,
    sum(of_which_provisional) AS of_which_provisional, sum(labour_hours) * 60 AS human_minutes,
    sum(cycle_runs) AS cycle_runs, sum(cycle_s) AS cycle_s
FROM workflow_days d LEFT JOIN teams t USING (team)
WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = ANY ($4::text[]) AND ($5::text IS NULL OR d.team = $5)
GROUP BY workflow_version, day, t.team, currency

-- name: outcomes
-- What became of their outcomes named $7, by day and team, as they stood $8 days after their day; with $9 what nobody
-- refused or reversed by then counts as accepted. What was said after that is counted by itself.
WITH {teams}
SELECT workflow_version AS version, day, t.team, currency,
    coalesce(sum(outcomes) FILTER (WHERE lag <= $8), 0) AS outcomes,
    coalesce(sum(CASE WHEN $9 THEN outcomes - refused - reversed ELSE accepted END) FILTER (WHERE lag <= $8), 0) AS accepted,
    coalesce(sum(refused) FILTER (WHERE lag <= $8), 0) AS refused,
    coalesce(sum(reversed) FILTER (WHERE lag <= $8), 0) AS reversed,
    coalesce(sum(reversed) FILTER (WHERE lag > $8), 0) AS reversed_later,
    coalesce(sum(accepted) FILTER (WHERE lag > $8), 0) AS accepted_later,
    coalesce(sum(CASE WHEN $9 THEN value - value_gone ELSE value_accepted END) FILTER (WHERE lag <= $8), 0) AS value,
    coalesce(sum(CASE WHEN $9 THEN runs_alive ELSE runs_accepted END) FILTER (WHERE lag <= $8), 0) AS successes
FROM workflow_outcome_days d LEFT JOIN teams t USING (team)
WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = ANY ($4::text[]) AND ($5::text IS NULL OR d.team = $5)
    AND name = $7
GROUP BY workflow_version, day, t.team, currency

-- name: dearest
-- The $6 dearest runs of the version $4 in [$2, $3), in the currency $7.
SELECT day, run, team, cost, calls, ai, human, adjacent, labour_hours * 60 AS human_minutes, outcomes
FROM workflow_dear_runs
WHERE workflow = $1 AND day >= $2 AND day < $3 AND workflow_version = $4 AND ($5::text IS NULL OR team = $5)
    AND currency = $7
ORDER BY cost DESC LIMIT $6

-- name: due
-- Days of [$1, $2) whose moments are to be made again, and whether runs have changed of which it is not known yet.
SELECT (SELECT count(*) FROM workflow_days_due WHERE day >= $1 AND day < $2) AS days,
    EXISTS (SELECT FROM run_days_due) AS runs
