-- name: live_keys
-- The stored halves of all keys that open anything.
SELECT key_id, tenant, secret_sha256, scopes, expires_at, former_sha256, former_until FROM live_keys()

-- name: live_sessions
-- Those of the portal that are not over.
SELECT token_sha256, key_id, expires_at, of_tenant, person_id FROM live_sessions()

-- name: live_people
-- Whoever has a role, of which tenant.
SELECT tenant, person_id, role, team FROM live_people()

-- name: open_person_session
-- $1 = hash of the token, $2 = tenant, $3 = person, $4 = how long, $5 = how many a person may have.
SELECT open_person_session($1, $2, $3, $4, $5)

-- name: open_session
-- $1 = hash of the token, $2 = key, $3 = how long, $4 = how many a key may have.
SELECT open_session($1, $2, $3, $4)

-- name: end_sessions_but
-- Those of people whom nobody pinned vouches for: $1 = tenants, $2 = the issuer of each.
SELECT end_sessions_but($1, $2)

-- name: close_session
-- $1 = hash of the token.
SELECT close_session($1)
