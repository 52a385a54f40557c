-- name: live_keys
-- A key that is not here does not open anything; expiry is checked when a key is used.
SELECT key_id, tenant, secret_sha256, scopes, trust_reported_cost, expires_at, former_sha256, former_until,
    events_per_minute
FROM api_keys WHERE revoked_at IS NULL

-- name: pseudonym_keys
-- The month of receipt is all that ingest needs; a day's margin covers clocks that differ.
SELECT tenant, month, secret FROM pseudonym_keys
WHERE month >= date_trunc('month', (now() - interval '1 day') AT TIME ZONE 'UTC')

-- name: tenants
-- Whom an operator's key may speak for, and where their usage may go.
SELECT tenant, region FROM tenants

-- name: erasures
-- In which tenants somebody was forgotten last.
SELECT tenant, max(number) AS number FROM erasures GROUP BY tenant

-- name: dimensions
-- Which labels of their own tenants' senders may use.
SELECT tenant, name FROM own_dimensions WHERE active

-- name: map_numbers
-- Which label maps are in force; those that were read before are not read again.
SELECT tenant, number FROM label_maps_in_force

-- name: maps
-- What is in force by now of these.
SELECT tenant, number, maps FROM label_maps_in_force WHERE tenant = ANY($1)

-- name: meter_numbers
-- Which meters are in force; those that were read before are not read again.
SELECT tenant, number FROM meters_in_force

-- name: meters
-- What is in force by now of these.
SELECT tenant, number, meters FROM meters_in_force WHERE tenant = ANY($1)
