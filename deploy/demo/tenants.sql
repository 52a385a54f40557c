-- name: key_exists
-- Whether the database is the one that a key was made in.
SELECT 1 FROM api_keys WHERE key_id = $1

-- name: add_budget
-- A budget that is not there; one that is stays as people left it.
INSERT INTO budgets (tenant, name, filter, amount, currency, period, thresholds_percent)
SELECT $1, $2, $3::jsonb, $4, 'USD', $5, $6::numeric[]
WHERE NOT EXISTS (SELECT 1 FROM budgets WHERE tenant = $1 AND name = $2)

-- name: move_channel
-- The sink listens on the port of this start.
UPDATE channels SET settings = settings || jsonb_build_object('url', $2::text), disabled_at = NULL
WHERE tenant = $1 AND name = 'demo sink'

-- name: add_channel
-- The way to the sink, once a tenant.
INSERT INTO channels (tenant, name, settings)
SELECT $1, 'demo sink', jsonb_build_object('kind', 'webhook', 'url', $2::text, 'secret', $3::text)
WHERE NOT EXISTS (SELECT 1 FROM channels WHERE tenant = $1 AND name = 'demo sink')
