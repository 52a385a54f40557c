-- name: insert_series
-- A series is written once, when it is first seen.
INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow,
    workflow_version, agent, environment, key_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING
