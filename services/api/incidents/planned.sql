-- name: list
-- What is planned, and what was: the newest beginning first.
SELECT id, name, filter, starts_at, ends_at, reason, created_by, created_at, cancelled_at, cancelled_by, cancel_reason,
    CASE WHEN cancelled_at IS NOT NULL THEN 'cancelled' WHEN now() < starts_at THEN 'ahead'
        WHEN now() < ends_at THEN 'under_way' ELSE 'over' END AS state,
    (SELECT count(*) FROM incidents i WHERE i.tenant = w.tenant AND i.planned = w.id)::int AS incidents
FROM planned_windows w WHERE $1::uuid IS NULL OR id = $1
ORDER BY starts_at DESC, id LIMIT $2

-- name: hold
-- Until the transaction's end nobody else plans for this tenant.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1886151022))

-- name: count
-- How many are not over.
SELECT count(*) FROM planned_windows WHERE ends_at > now() AND cancelled_at IS NULL

-- name: add
-- One more.
INSERT INTO planned_windows (tenant, name, filter, starts_at, ends_at, reason, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id

-- name: cancel
-- It ends now, if it has not ended before.
UPDATE planned_windows SET cancelled_at = now(), cancelled_by = $2, cancel_reason = $3
WHERE id = $1 AND cancelled_at IS NULL AND ends_at > now()
