-- name: add_tenant
-- A tenant that is there stays as it is.
INSERT INTO tenants (tenant, name) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- name: tenant_exists
-- Whether there is such a tenant.
SELECT 1 FROM tenants WHERE tenant = $1

-- name: pin_tenant
-- Where its usage may go; '' = anywhere.
UPDATE tenants SET region = $2 WHERE tenant = $1 RETURNING tenant

-- name: add_pseudonym_key
-- What a month's user labels are replaced by follows from its key, so none is ever changed.
INSERT INTO pseudonym_keys (tenant, month, secret) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: add_key
-- A key, of whose secret the hash alone is kept.
INSERT INTO api_keys
    (key_id, tenant, name, secret_sha256, scopes, trust_reported_cost, expires_at, events_per_minute)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: rotate_key
-- $2 = hash of the new secret, $3 = how long the one that it had still opens. A third one never does: so while one is in
-- its grace none is made but to end it.
UPDATE api_keys SET
    secret_sha256 = $2, former_sha256 = secret_sha256, former_until = now() + $3::interval, rotated_at = now()
WHERE key_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    AND (former_until IS NULL OR former_until <= now() OR $3::interval = interval '0') RETURNING key_id

-- name: end_sessions
-- Whoever holds one of the key $2: in their place is one that nobody knows ($1), and that is over, too.
SELECT open_session($1, $2, interval '0', 1)

-- name: rotating
-- Until when the former secret of a live key opens.
SELECT former_until FROM api_keys
WHERE key_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AND former_until > now()

-- name: note_uses
-- $1 = service, $2 = keys, $3 = when each was last used.
SELECT note_key_uses($1, $2, $3)

-- name: keys
-- One tenant's keys, or with '' all; never what they are compared with.
SELECT key_id, tenant, name, scopes, created_at, expires_at, revoked_at, former_until, events_per_minute,
    (SELECT max(u.last_used_at) FROM key_uses u WHERE u.key_id = k.key_id) AS last_used_at
FROM api_keys k WHERE $1 = '' OR tenant = $1 ORDER BY tenant, created_at

-- name: revoke_key
-- Once: the time of the first revocation stays.
UPDATE api_keys SET revoked_at = now() WHERE key_id = $1 AND revoked_at IS NULL RETURNING key_id
