-- name: whose
-- Whether the tenant has anything of its own in a version; no row = there is no such version.
SELECT EXISTS (SELECT FROM catalog_entries WHERE tenant = $1 AND tenant <> '' AND version <= $2) AS own_entries
FROM catalog_publications WHERE version = $2

-- name: entries
-- Everybody's entries up to a version, and the tenant's own.
SELECT body FROM catalog_entries WHERE version <= $2 AND tenant IN ('', $1) ORDER BY version, id

-- name: units
-- Everybody's entries of these types up to a version.
SELECT body FROM catalog_entries WHERE version <= $1 AND type = ANY ($2::text[]) AND tenant = '' ORDER BY version, id
