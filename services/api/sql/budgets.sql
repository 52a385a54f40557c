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
-- Null = as it was. A change of what is watched raises the revision, which arms the thresholds again; another
-- name, or the same values once more, must not page anybody a second time.
UPDATE budgets b SET name = n.name, filter = n.filter, amount = n.amount, period = n.period,
    thresholds_percent = n.thresholds_percent, updated_at = now(),
    revision = b.revision + ((n.filter, n.amount, n.period, n.thresholds_percent)
        IS DISTINCT FROM (b.filter, b.amount, b.period, b.thresholds_percent))::int
FROM (
    SELECT id, coalesce($2, name) AS name, coalesce($3::jsonb, filter) AS filter, coalesce($4, amount) AS amount,
        coalesce($5, period) AS period, coalesce($6::numeric[], thresholds_percent) AS thresholds_percent
    FROM budgets WHERE id = $1 AND deleted_at IS NULL FOR UPDATE
) AS n
WHERE b.id = n.id RETURNING b.id

-- name: delete
-- It stays for the incidents that name it.
UPDATE budgets SET deleted_at = now(), updated_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING id

-- name: spent
-- One period's sums by series, for every budget of such a period at once.
SELECT r.series_id, r.currency, sum(r.effective) AS effective, sum(r.of_which_provisional) AS provisional
FROM rollups_minute r WHERE r.bucket >= $1 AND r.bucket < $2 GROUP BY 1, 2

-- name: series
-- What the sums are of.
SELECT series_id, to_jsonb(s) AS named FROM series s WHERE series_id = ANY ($1::bytea[])
