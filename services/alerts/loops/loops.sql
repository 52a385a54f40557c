-- name: running
-- Runs of tenant $1 that called since $2, in currency $3, with $4 calls and $5 of money at least; the $6 dearest. A run
-- has rows by model and the like: all of them count, also those that did not call lately.
WITH lately AS (
    SELECT DISTINCT run FROM runs WHERE tenant = $1 AND last_at >= $2 AND currency = $3
)
SELECT run, workflow, sum(events)::bigint AS calls, sum(effective) AS effective,
    sum(of_which_provisional) AS provisional, min(first_at) AS first_at, max(last_at) AS last_at
FROM lately JOIN runs USING (run) WHERE tenant = $1 AND currency = $3
GROUP BY run, workflow
HAVING sum(events) >= $4 AND sum(effective) >= $5 AND max(last_at) >= $2
ORDER BY sum(effective) DESC, run LIMIT $6

-- name: usual
-- How runs of these workflows ($2) go that have ended between $3 and $4: of the newest $5 rows of the tenant's. Of calls,
-- and of calls a minute, the 95th percentile; in how many there was an outcome.
WITH ended AS MATERIALIZED (
    SELECT run, workflow, events, first_at, last_at FROM runs
    WHERE tenant = $1 AND last_at >= $3 AND last_at < $4 ORDER BY last_at DESC LIMIT $5
), whole AS (
    SELECT workflow, run, sum(events) AS calls,
        sum(events) / greatest(extract(epoch FROM max(last_at) - min(first_at)) / 60, 1) AS calls_a_minute
    FROM ended WHERE workflow = ANY ($2::text[]) GROUP BY workflow, run
)
SELECT workflow, count(*)::int AS runs, percentile_disc(0.95) WITHIN GROUP (ORDER BY calls) AS calls,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY calls_a_minute) AS calls_a_minute,
    count(*) FILTER (WHERE EXISTS (SELECT FROM run_outcomes o WHERE o.tenant = $1 AND o.run = whole.run)
        OR EXISTS (SELECT FROM outcomes o WHERE o.tenant = $1 AND o.run = whole.run AND o.kind = 'outcome')
    )::int AS with_outcome
FROM whole GROUP BY workflow

-- name: with_outcome
-- Which of these runs have an outcome: stated by an event of theirs, or apart.
SELECT run FROM run_outcomes WHERE tenant = $1 AND run = ANY ($2::text[]) AND count > 0
UNION
SELECT run FROM outcomes WHERE tenant = $1 AND run = ANY ($2::text[]) AND kind = 'outcome'

-- name: lies_in
-- In which values of dimensions a run of workflow $6 ('' = none) lies: of all that this cost, in currency $5, in the pieces
-- $2 to $4 of tenant $1's time, no more than $7 lies outside of such a value, and $8 at least within.
WITH sums AS MATERIALIZED (
    SELECT series_id, sum(effective) AS effective FROM spent($1, $2, $3, $4) WHERE currency = $5 GROUP BY series_id
), of_workflow AS MATERIALIZED (
    SELECT dimensions(s) AS said, effective FROM sums JOIN series s ON s.tenant = $1 AND s.series_id = sums.series_id
    WHERE s.workflow = $6
)
SELECT name, value FROM of_workflow, jsonb_each_text(said) AS e (name, value) WHERE value <> ''
GROUP BY name, value
HAVING sum(effective) >= (SELECT sum(effective) FROM of_workflow) - $7::numeric AND sum(effective) >= $8::numeric
