-- name: list
-- Budgets in force, oldest first; $1 null = all, else the one of that id.
SELECT id, name, filter, amount, currency, period, thresholds_percent, revision, created_at, updated_at
FROM budgets WHERE deleted_at IS NULL AND ($1::uuid IS NULL OR id = $1) ORDER BY created_at, id

-- name: count
-- How many there are.
SELECT count(*) FROM budgets WHERE deleted_at IS NULL

-- name: create
-- The tenant is the transaction's.
INSERT INTO budgets (tenant, name, filter, amount, currency, period, thresholds_percent)
VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7) RETURNING id

-- name: change
-- Null = as it was. Every change raises the revision, which arms the thresholds again.
UPDATE budgets SET name = coalesce($2, name), filter = coalesce($3::jsonb, filter), amount = coalesce($4, amount),
    period = coalesce($5, period), thresholds_percent = coalesce($6::numeric[], thresholds_percent),
    revision = revision + 1, updated_at = now()
WHERE id = $1 AND deleted_at IS NULL RETURNING id

-- name: delete
-- It stays for the incidents that name it.
UPDATE budgets SET deleted_at = now(), updated_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING id

-- name: spent
-- One period's sums by series, for every budget of such a period at once.
SELECT r.series_id, r.currency, sum(r.effective) AS effective, sum(r.of_which_provisional) AS provisional
FROM rollups_minute r WHERE r.bucket >= $1 AND r.bucket < $2 GROUP BY 1, 2

-- name: series
-- What the sums are of.
SELECT series_id, to_jsonb(s) AS named FROM series s
