-- name: list
-- A tenant's readouts by slug, or one of them, by slug or id ($1).
SELECT id, slug, name, description, aggregation, value_property, group_by, at, changed_at
FROM readouts
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

-- name: change
-- $1 = its slug, $2 = name, $3 = description, $4 = what it can be grouped by, $5 = by whom.
UPDATE readouts SET name = $2, description = $3, group_by = $4, by = $5, changed_at = now() WHERE slug = $1

-- name: remove
-- One less, by slug or id.
DELETE FROM readouts WHERE slug = $1 OR id::text = $1 RETURNING id
