-- name: in_force
-- What holds of the workflow $1 and its versions; null = of all workflows.
SELECT workflow, about, version, number, said, reason, by, at FROM workflow_acts_in_force
WHERE NOT removed AND ($1::text IS NULL OR workflow = $1) ORDER BY workflow, about DESC, version

-- name: hold
-- Until the transaction's end nobody else says anything of this tenant's workflows.
SELECT pg_advisory_xact_lock(hashtextextended($1, 2003790959))

-- name: last
-- The revision that is in force of $1 (about), workflow $2, version $3; null = none is.
SELECT number FROM workflow_acts_in_force WHERE about = $1 AND workflow = $2 AND version = $3 AND NOT removed

-- name: count
-- Of how much something is said.
SELECT count(*) FROM workflow_acts_in_force WHERE NOT removed

-- name: act
-- All of it anew; what was said before stays in its row.
INSERT INTO workflow_acts (tenant, about, workflow, version, said, removed, reason, by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: acts
-- Every act on the workflow $1, the newest first, at most $2.
SELECT number, about, version, said, removed, reason, by, at FROM workflow_acts
WHERE workflow = $1 ORDER BY number DESC LIMIT $2
