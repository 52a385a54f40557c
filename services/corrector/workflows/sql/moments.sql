-- name: resolve
-- Of at most $1 runs that are due: the days whose moments hold or held them. A run is of its last day that counts; it may
-- have come from the one before, or have gone there. An outcome whose run nobody knew yet was of its own day.
WITH due AS MATERIALIZED (
    DELETE FROM run_days_due WHERE ctid = ANY (ARRAY(SELECT ctid FROM run_days_due LIMIT $1 FOR UPDATE SKIP LOCKED))
    RETURNING tenant, day, run
), days AS (
    SELECT tenant, day FROM due
    UNION SELECT d.tenant, l.day FROM (SELECT DISTINCT tenant, run FROM due WHERE run <> '') AS d, LATERAL (
        SELECT max(r.day) AS day FROM run_days r WHERE r.tenant = d.tenant AND r.run = d.run AND r.run <> '' AND r.events <> 0
    ) AS l
    UNION SELECT d.tenant, l.day FROM (SELECT DISTINCT tenant, run, day FROM due WHERE run <> '') AS d, LATERAL (
        SELECT max(r.day) AS day FROM run_days r
        WHERE r.tenant = d.tenant AND r.run = d.run AND r.run <> '' AND r.day < d.day AND r.events <> 0
    ) AS l
    UNION SELECT d.tenant, (o.occurred_at AT TIME ZONE 'UTC')::date
    FROM due d JOIN outcomes o ON o.tenant = d.tenant AND o.run = d.run AND o.run <> '' AND o.kind = 'outcome'
), marked AS (
    INSERT INTO workflow_days_due (tenant, day) SELECT tenant, day FROM days WHERE day IS NOT NULL ORDER BY tenant, day
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM due

-- name: take
-- A day whose moments are to be made again, the newest first; ours until COMMIT.
DELETE FROM workflow_days_due WHERE (tenant, day) IN (
    SELECT tenant, day FROM workflow_days_due ORDER BY day DESC, tenant LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING tenant, day

-- name: runs
-- Of tenant $1 the next $4 runs after $3 whose last day is $2.
SELECT run FROM (
    SELECT DISTINCT run FROM run_days WHERE tenant = $1 AND day = $2 AND run > $3 AND events <> 0
) AS d
WHERE NOT EXISTS (
    SELECT FROM run_days l WHERE l.tenant = $1 AND l.run = d.run AND l.run <> '' AND l.day > $2 AND l.events <> 0)
ORDER BY run LIMIT $4

-- name: run_rows
-- All days of the runs $2.
SELECT day, run, workflow, workflow_version, team, currency, events, unpriced_events, calls, failed_calls, ai, human,
    adjacent, of_which_provisional, labour_hours, first_at, last_at
FROM run_days WHERE tenant = $1 AND run = ANY ($2::text[]) AND run <> '' AND events <> 0

-- part: became
-- What was said of each of `said`, in order.
became AS (
    SELECT target, array_agg(occurred_at ORDER BY occurred_at, identity) AS times, array_agg(
        CASE WHEN kind = 'reversal' THEN 'reversed' WHEN accepted THEN 'accepted' ELSE 'refused' END
        ORDER BY occurred_at, identity) AS words
    FROM outcomes WHERE target IN (SELECT about FROM said) GROUP BY target
)
SELECT about, run, workflow, workflow_version, name, currency, count, value, at, accepted, team,
    coalesce(times, '{}') AS times, coalesce(words, '{}') AS words
FROM said LEFT JOIN became ON target = about

-- name: run_outcomes
-- What the runs $2 achieved, as their receipts say it: an id that an outcome and a usage event have is the outcome's.
WITH said AS MATERIALIZED (
    SELECT run, workflow, workflow_version, name, currency, count, value, occurred_at AS at, accepted, '' AS team,
        identity AS about
    FROM outcomes WHERE tenant = $1 AND run = ANY ($2::text[]) AND run <> '' AND kind = 'outcome'
    UNION ALL
    SELECT r.run, r.workflow, r.workflow_version, r.name, r.currency, r.count, r.value, r.at, NULL, '',
        CASE WHEN o.identity IS NULL THEN r.identity END
    FROM run_outcomes r LEFT JOIN outcomes o ON o.identity = r.identity AND o.kind = 'outcome'
    WHERE r.tenant = $1 AND r.run = ANY ($2::text[]) AND r.events <> 0
), {became}

-- name: without_run
-- What names a workflow and no run, of the day $2.
SELECT day, run, workflow, workflow_version, team, currency, events, unpriced_events, calls, failed_calls, ai, human,
    adjacent, of_which_provisional, labour_hours, first_at, last_at
FROM run_days WHERE tenant = $1 AND day = $2 AND run = '' AND events <> 0

-- name: outcomes_without_run
-- Outcomes of the day $2 that name a workflow, and no run or one that is not known; at most $5 after ($3, $4).
WITH said AS MATERIALIZED (
    SELECT run, workflow, workflow_version, name, currency, count, value, occurred_at AS at, accepted,
        coalesce(labels ->> 'team', '') AS team, identity AS about
    FROM outcomes o
    WHERE tenant = $1 AND occurred_at >= $2::date::timestamp AT TIME ZONE 'UTC'
        AND occurred_at < ($2::date + 1)::timestamp AT TIME ZONE 'UTC'
        AND (occurred_at, identity) > ($3, $4) AND kind = 'outcome' AND workflow <> '' AND (run = '' OR NOT EXISTS (
            SELECT FROM run_days r WHERE r.tenant = $1 AND r.run = o.run AND r.run <> '' AND r.events <> 0))
    ORDER BY occurred_at, identity LIMIT $5
), {became}

-- name: clear
-- What the moments of a day were.
WITH days AS (DELETE FROM workflow_days WHERE tenant = $1 AND day = $2),
    steps AS (DELETE FROM workflow_outcome_days WHERE tenant = $1 AND day = $2)
DELETE FROM workflow_dear_runs WHERE tenant = $1 AND day = $2

-- name: add_days
-- All rows of a day.
INSERT INTO workflow_days SELECT * FROM json_populate_recordset(NULL::workflow_days, $1::json)

-- name: add_steps
-- The same of what became of outcomes.
INSERT INTO workflow_outcome_days SELECT * FROM json_populate_recordset(NULL::workflow_outcome_days, $1::json)

-- name: add_dear
-- The same of the dearest runs.
INSERT INTO workflow_dear_runs SELECT * FROM json_populate_recordset(NULL::workflow_dear_runs, $1::json)

-- name: waiting
-- How many days are to be made again.
SELECT count(*) FROM workflow_days_due
