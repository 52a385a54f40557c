-- name: list
-- A tenant's saved views by name, or one of them ($1).
SELECT id, name, path, question, by, at FROM saved_views WHERE $1::uuid IS NULL OR id = $1 ORDER BY name COLLATE "C"

-- name: hold
-- Until the transaction's end nobody else saves one for this tenant.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1986619763))

-- name: count
-- How many there are.
SELECT count(*) FROM saved_views

-- name: add
-- One more; nothing where the name is taken.
INSERT INTO saved_views (tenant, name, path, question, by) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, name) DO NOTHING RETURNING id

-- name: remove
-- One less.
DELETE FROM saved_views WHERE id = $1 RETURNING id
