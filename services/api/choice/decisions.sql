-- name: hold
-- One decision of a tenant at a time, so that no two say of the same calls whose saving they are.
SELECT pg_advisory_xact_lock(hashtextextended('model_decisions ' || $1, 0))

-- part: said
-- A decision, and whether it was withdrawn.
SELECT d.*, w.reason AS withdrawn_reason, w.by AS withdrawn_by, w.at AS withdrawn_at
FROM model_decisions d LEFT JOIN model_decision_withdrawals w ON w.decision_id = d.id

-- name: in_force
-- Those that were not withdrawn, of an owner or ('') of any, the newest first.
{said} WHERE w.at IS NULL AND $1 IN ('', owner) ORDER BY d.at DESC, d.id

-- name: withdrawn
-- The newest $2 that were.
{said} WHERE w.at IS NOT NULL AND $1 IN ('', owner) ORDER BY d.at DESC, d.id LIMIT $2

-- name: one
-- One, in force or not.
{said} WHERE d.id = $1

-- name: decide
-- A new one.
INSERT INTO model_decisions (tenant, title, reason, filter, from_model, to_model, owner, effective_day, growth_low,
    growth_high, forecast, by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING id

-- name: withdraw
-- Asked again, it stays as it was.
INSERT INTO model_decision_withdrawals (tenant, decision_id, reason, by) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: names
-- By what names events ever called models.
SELECT DISTINCT provider, sku FROM series WHERE cost_class = 'model'
