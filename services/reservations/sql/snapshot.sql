-- name: keys
-- A key that is not here opens nothing; expiry is checked when it is used.
SELECT key_id, tenant, secret_sha256, scopes, expires_at, former_sha256, former_until FROM api_keys WHERE revoked_at IS NULL

-- name: tenants
-- For whom an operator's key may speak.
SELECT tenant FROM tenants

-- name: version
-- The newest publication of the catalog.
SELECT coalesce(max(version), 0) FROM catalog_publications
