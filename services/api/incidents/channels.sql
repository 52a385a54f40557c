-- name: list
-- Where incidents are told; never the secret.
SELECT id, name, kind, url, created_at, disabled_at, disabled_reason FROM channels
WHERE deleted_at IS NULL ORDER BY created_at, id

-- name: count
-- How many there are.
SELECT count(*) FROM channels WHERE deleted_at IS NULL

-- name: create
-- The tenant is the transaction's.
INSERT INTO channels (tenant, name, url, secret) VALUES ($1, $2, $3, $4)
RETURNING id, name, kind, url, created_at, disabled_at, disabled_reason

-- name: delete
-- It stays for the deliveries that name it.
UPDATE channels SET deleted_at = now(), updated_at = now() WHERE id = $1 AND deleted_at IS NULL RETURNING id
