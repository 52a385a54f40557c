-- name: known
-- Corrections that have come before.
SELECT correction_id FROM corrections WHERE correction_id = ANY ($1::text[])

-- name: accept
-- A correction as it was asked for. It waits until it is known what becomes of it.
INSERT INTO corrections (correction_id, tenant, identity, source, event_id, kind, revision, patch, reason, author,
    requested_at, state, log_ends)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'waiting', $12)
