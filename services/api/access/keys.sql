-- name: live_keys
-- The stored halves of all keys that open anything.
SELECT key_id, tenant, secret_sha256, scopes, expires_at, former_sha256, former_until FROM live_keys()

-- name: live_sessions
-- Those of the portal that are not over.
SELECT token_sha256, key_id, expires_at FROM live_sessions()

-- name: open_session
-- $1 = hash of the token, $2 = key, $3 = how long, $4 = how many a key may have.
SELECT open_session($1, $2, $3, $4)

-- name: close_session
-- $1 = hash of the token.
SELECT close_session($1)
