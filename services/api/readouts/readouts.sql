-- name: list
-- A tenant's readouts by slug, or one of them, by slug or id ($1).
SELECT id, slug, name, description, aggregation, value_property, group_by, at FROM readouts
WHERE $1::text IS NULL OR slug = $1 OR id::text = $1 ORDER BY slug COLLATE "C"

-- name: hold
-- Until the transaction's end nobody else defines one for this tenant.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1919247471))

-- name: count
-- How many there are.
SELECT count(*) FROM readouts

-- name: add
-- One more; nothing where the slug is taken.
INSERT INTO readouts (tenant, slug, name, description, aggregation, value_property, group_by, by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (tenant, slug) DO NOTHING RETURNING id

-- name: remove
-- One less, by slug or id.
DELETE FROM readouts WHERE slug = $1 OR id::text = $1 RETURNING id
