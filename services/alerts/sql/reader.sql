-- name: read_day
-- One day of one tenant by series: what a budget's closed days are made of.
SELECT series_id, sum(effective) AS effective, sum(of_which_provisional) AS provisional
FROM rollups_minute
WHERE tenant = $1 AND currency = $2 AND bucket >= $3 AND bucket < $4
GROUP BY series_id

-- name: read_open_end
-- Everything from the last closed minute on, future buckets too: read at every look.
SELECT bucket, series_id, sum(effective) AS effective, sum(of_which_provisional) AS provisional
FROM rollups_minute
WHERE tenant = $1 AND currency = $2 AND bucket >= $3
GROUP BY bucket, series_id

-- name: read_series
-- The dimensions of series that this worker has not met.
SELECT series_id, cost_class, provider, sku, team, project, feature, workflow, workflow_version, agent,
    environment, key_id
FROM series WHERE tenant = $1 AND series_id = ANY ($2)

-- name: first_seen
-- When the tenant's first series was met: tells how much of its very first minute was seen.
SELECT min(first_seen) FROM series WHERE tenant = $1

-- name: read_history
-- The tenant's last $5 minutes with spend before $3 (none before $4), by series, hopping from minute to minute
-- along the key. What an anomaly explains teaches nothing: its rows are left out.
WITH RECURSIVE active AS (
    (SELECT bucket, 1 AS place FROM rollups_minute
     WHERE tenant = $1 AND bucket < $3 AND bucket >= $4 ORDER BY bucket DESC LIMIT 1)
    UNION ALL
    SELECT earlier.bucket, active.place + 1 FROM active, LATERAL (
        SELECT bucket FROM rollups_minute
        WHERE tenant = $1 AND bucket < active.bucket AND bucket >= $4 ORDER BY bucket DESC LIMIT 1
    ) AS earlier
    WHERE active.place < $5
), explained AS MATERIALIZED (
    SELECT scope, date_trunc('minute', began_at) AS first, hot_at AS last FROM incidents
    WHERE tenant = $1 AND kind = 'anomaly' AND hot_at >= (SELECT min(bucket) FROM active)
)
SELECT r.bucket, r.series_id, sum(r.effective) AS effective, sum(r.events)::bigint AS events
FROM active
JOIN rollups_minute r ON r.tenant = $1 AND r.bucket = active.bucket
JOIN series s ON s.tenant = r.tenant AND s.series_id = r.series_id
WHERE r.currency = $2 AND NOT EXISTS (
    SELECT 1 FROM explained e
    WHERE r.bucket BETWEEN e.first AND e.last AND to_jsonb(s) @> e.scope
)
GROUP BY r.bucket, r.series_id

-- name: read_scope_since
-- A scope's money by series in [$3, $4]: what an anomaly has cost. An empty scope is the whole tenant.
SELECT series_id, sum(effective) AS effective, sum(of_which_provisional) AS provisional
FROM rollups_minute
WHERE tenant = $1 AND currency = $2 AND bucket BETWEEN $3 AND $4 AND series_id IN (
    SELECT s.series_id FROM series s WHERE s.tenant = $1 AND to_jsonb(s) @> $5
)
GROUP BY series_id
