-- name: put
-- It may send events and nothing else; of whose secret the hash alone is kept, as of every key's.
INSERT INTO api_keys (key_id, tenant, name, secret_sha256, scopes, trust_reported_cost)
VALUES ($1, $2, $3, $4, ARRAY['ingest'], true)
ON CONFLICT (key_id) DO UPDATE SET secret_sha256 = excluded.secret_sha256
WHERE api_keys.secret_sha256 <> excluded.secret_sha256
