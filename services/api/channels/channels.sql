-- name: list
-- Where incidents are told, in the order in which one stands in for another; $1 = one of them, NULL = all.
SELECT id, name, kind, settings, match, quiet, digest_minutes, position, created_at, created_by, updated_at,
    updated_by, disabled_at, disabled_reason, last_success_at, last_failure_at, last_error, failing_since
FROM channels WHERE deleted_at IS NULL AND ($1::uuid IS NULL OR id = $1) ORDER BY position, created_at, id

-- name: hold
-- Two that add a channel take turns: the second counts the first one's.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1667785072))

-- name: count
-- How many there are.
SELECT count(*) FROM channels WHERE deleted_at IS NULL

-- name: create
-- The tenant is the transaction's.
INSERT INTO channels (tenant, name, settings, match, quiet, digest_minutes, position, created_by, updated_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) RETURNING id

-- name: hold_one
-- Its settings, until this transaction ends: they are changed one by one.
SELECT settings FROM channels WHERE id = $1 AND deleted_at IS NULL FOR UPDATE

-- name: change
-- NULL = as it is. With other settings, or taken back ($7), it does not fail until it does.
UPDATE channels SET name = coalesce($2, name), settings = coalesce($3, settings), match = coalesce($4, match),
    quiet = coalesce($5, quiet), digest_minutes = coalesce($6, digest_minutes),
    disabled_at = CASE WHEN $7 THEN NULL WHEN NOT $7 THEN coalesce(disabled_at, now()) ELSE disabled_at END,
    disabled_reason = CASE
        WHEN $7 THEN '' WHEN NOT $7 AND disabled_at IS NULL THEN 'by ' || $9 ELSE disabled_reason
    END,
    position = coalesce($8, position), updated_at = now(), updated_by = $9,
    failing_since = CASE WHEN $3::jsonb IS NOT NULL OR $7 THEN NULL ELSE failing_since END,
    failures = CASE WHEN $3::jsonb IS NOT NULL OR $7 THEN 0 ELSE failures END,
    last_error = CASE WHEN $3::jsonb IS NOT NULL OR $7 THEN '' ELSE last_error END
WHERE id = $1 AND deleted_at IS NULL

-- name: delete
-- It stays for the deliveries that name it; where it led, and by which secrets, is forgotten.
UPDATE channels SET deleted_at = now(), updated_at = now(), updated_by = $2,
    settings = jsonb_build_object('kind', kind)
WHERE id = $1 AND deleted_at IS NULL
RETURNING id

-- name: ask_for_test
-- A row that alerts carries out as it does every other; while one waits there is no second.
INSERT INTO deliveries (tenant, transition, channel_id, body) VALUES ($1, 'test', $2, '')
ON CONFLICT (tenant, channel_id) WHERE transition = 'test' AND state = 'pending' DO NOTHING

-- name: last_test
-- The channel's newest test.
SELECT id FROM deliveries WHERE tenant = $1 AND channel_id = $2 AND transition = 'test'
ORDER BY created_at DESC, id DESC LIMIT 1

-- name: test
-- What has come of it.
SELECT id, state, last_error AS error FROM deliveries WHERE tenant = $1 AND id = $2

-- name: deliveries
-- A channel's, newest first, after ($4, $5).
SELECT d.id, d.incident_id, coalesce(i.title, '') AS title, d.transition, d.number, d.state, d.held, d.attempts,
    d.last_error, d.created_at, CASE WHEN d.state = 'pending' THEN d.next_attempt_at END AS next_attempt_at,
    d.finished_at, d.merged_into
FROM deliveries d LEFT JOIN incidents i ON i.tenant = d.tenant AND i.id = d.incident_id
WHERE d.tenant = $1 AND d.channel_id = $2 AND ($3::text[] IS NULL OR d.state = ANY ($3))
    AND (d.created_at, d.id) < ($4, $5)
ORDER BY d.created_at DESC, d.id DESC LIMIT $6

-- name: settings
-- With its secrets: for a change that names some of them alone.
SELECT settings FROM channels WHERE id = $1 AND deleted_at IS NULL
