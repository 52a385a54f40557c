-- part: job
-- A job as it is answered.
j.rerate_id, j.selection, j.version, j.reason, j.author, j.requested_at, j.state, j.why, j.applied_by, j.apply_asked_at,
    j.cancelled_by, j.cancelled_at

-- name: job
-- One.
SELECT {job} FROM rerate_jobs j WHERE j.rerate_id = $1

-- name: jobs
-- Asked for in [from, to), newest first, after ($4, $5); $1 '' = in any state.
SELECT {job} FROM rerate_jobs j
WHERE ($1 = '' OR j.state = $1) AND j.requested_at >= $2 AND j.requested_at < $3 AND (j.requested_at, j.rerate_id) < ($4, $5)
ORDER BY j.requested_at DESC, j.rerate_id DESC LIMIT $6

-- name: passes
-- How far these jobs are. about: null where it is not known of how many, or not yet.
SELECT rerate_id, phase, nullif(about, 0) AS about, seen, changed, left_alone, elsewhere, late, since_dry_run, since_dry_run_changed,
    started_at, ended_at, cursor_at AS reached
FROM rerate_passes WHERE rerate_id = ANY ($1::text[]) ORDER BY phase DESC

-- part: amounts
-- Before and after, of some differences.
sum(events)::bigint AS events, sum(list_before) AS list_before, sum(list_after) AS list_after,
    sum(contracted_before) AS contracted_before, sum(contracted_after) AS contracted_after,
    sum(effective_before) AS effective_before, sum(effective_after) AS effective_after

-- name: sums
-- All that jobs change, by currency: with each event once (cause ''), and by cause.
SELECT rerate_id, phase, currency, cause, {amounts}
FROM rerate_differences WHERE rerate_id = ANY ($1::text[]) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4

-- name: differences
-- The largest of them by team and model, and how many there are.
SELECT phase, team, provider, sku, currency, events, list_before, list_after, contracted_before, contracted_after,
    effective_before, effective_after
FROM rerate_differences WHERE rerate_id = $1 AND cause = ''
ORDER BY phase, abs(effective_after - effective_before) DESC, events DESC, team, provider, sku, currency LIMIT $2

-- name: left
-- What stays as it is though it would change, the first of it.
SELECT phase, occurred_at AS time, source, event_id AS id, reason FROM rerate_left
WHERE rerate_id = $1 ORDER BY phase, occurred_at, identity LIMIT $2

-- name: previewed
-- Of these jobs, those of which it is known what they would change, or that they cannot be done.
SELECT rerate_id FROM rerate_jobs WHERE rerate_id = ANY ($1::text[]) AND state NOT IN ('previewing', 'applying')

-- name: ended
-- Of these jobs, those that are at their end.
SELECT rerate_id FROM rerate_jobs
WHERE rerate_id = ANY ($1::text[]) AND state IN ('applied', 'cancelled', 'refused')

-- name: under_way
-- How many jobs of the tenant are at work, or wait for it.
SELECT count(*) FROM rerate_jobs WHERE state IN ('previewing', 'applying')

-- name: newest_version
-- Of the catalog.
SELECT version FROM catalog_published()
