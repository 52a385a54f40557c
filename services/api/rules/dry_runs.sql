-- name: hold
-- Until the transaction's end nobody else asks for this tenant.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1685223013))

-- name: under_way
-- How many are not done.
SELECT count(*) FROM rule_dry_runs WHERE state IN ('waiting', 'running')

-- name: ask
-- One more; alerts carries it out.
INSERT INTO rule_dry_runs (tenant, rule_id, of, filter, settings, days, asked_by)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id

-- name: read
-- One of a rule's.
SELECT id, rule_id AS rule, of, filter, settings, days, state, progress, result, error, asked_by, asked_at, finished_at
FROM rule_dry_runs WHERE rule_id = $1 AND id = $2

-- name: list
-- A rule's, the newest first.
SELECT id, rule_id AS rule, of, filter, settings, days, state, progress, result, error, asked_by, asked_at, finished_at
FROM rule_dry_runs WHERE rule_id = $1 ORDER BY asked_at DESC LIMIT $2
