-- name: first_start
-- Made once: outcomes are read from the beginning of their topic.
INSERT INTO outcome_position (topic) VALUES ($1) ON CONFLICT DO NOTHING

-- name: position
-- How far the topic is kept.
SELECT topic, position FROM outcome_position

-- name: hold_position
-- No row: others have kept what we are about to keep. A row: it is ours until COMMIT.
SELECT 1 FROM outcome_position WHERE topic = $1 AND position = $2 FOR UPDATE

-- name: move_position
-- The other half of hold_position: every offset is counted as what it was.
UPDATE outcome_position SET position = $1, kept = kept + $2, duplicate = duplicate + $3, conflict = conflict + $4,
    rejected = rejected + $5, holes = holes + $6

-- name: insert
-- Of one identity the first stays.
INSERT INTO outcomes (identity, tenant, source, event_id, key_id, kind, target, name, count, value, currency, accepted,
    run, workflow, workflow_version, labels, hash, occurred_at, received_at)
SELECT identity, tenant, source, event_id, key_id, kind, target, name, count, value, currency, accepted, run, workflow,
    workflow_version, labels, hash, occurred_at, received_at
FROM json_populate_recordset(NULL::outcomes, $1::json) ORDER BY identity
ON CONFLICT (identity) DO NOTHING RETURNING identity

-- name: mark_runs
-- The runs that the new ones $1 are about are due: their moments change. What comes before what it is about marks
-- nothing; that one does, when it comes.
INSERT INTO run_days_due (tenant, day, run)
WITH new AS MATERIALIZED (SELECT tenant, kind, target, run, occurred_at FROM outcomes WHERE identity = ANY ($1::bytea[]))
SELECT tenant, (occurred_at AT TIME ZONE 'UTC')::date, run FROM new WHERE kind = 'outcome'
UNION SELECT o.tenant, (o.occurred_at AT TIME ZONE 'UTC')::date, o.run
FROM new JOIN outcomes o ON o.identity = new.target AND o.kind = 'outcome'
UNION SELECT r.tenant, (r.at AT TIME ZONE 'UTC')::date, r.run FROM new JOIN run_outcomes r ON r.identity = new.target

-- name: known
-- What those say that were there before: a second statement, for whoever holds the position is alone.
SELECT identity, hash FROM outcomes WHERE identity = ANY ($1::bytea[])

-- name: insert_faults
-- What is not kept, by where it lies.
INSERT INTO outcome_faults (topic, origin_offset, fault, tenant, identity, source, event_id, key_id, reason)
SELECT $1, origin_offset, fault, tenant, identity, source, event_id, key_id, reason
FROM json_populate_recordset(NULL::outcome_faults, $2::json)
