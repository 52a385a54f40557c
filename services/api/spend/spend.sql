-- part: allowed
-- What the filter lets through. $1 to $11 are the values that each dimension may have, in the order of DIMENSIONS
-- (null = any): planned with the values at hand, what is null costs nothing.
($1::text[] IS NULL OR s.cost_class = ANY ($1)) AND ($2::text[] IS NULL OR s.provider = ANY ($2))
    AND ($3::text[] IS NULL OR s.sku = ANY ($3)) AND ($4::text[] IS NULL OR s.team = ANY ($4))
    AND ($5::text[] IS NULL OR s.project = ANY ($5)) AND ($6::text[] IS NULL OR s.feature = ANY ($6))
    AND ($7::text[] IS NULL OR s.workflow = ANY ($7)) AND ($8::text[] IS NULL OR s.workflow_version = ANY ($8))
    AND ($9::text[] IS NULL OR s.agent = ANY ($9)) AND ($10::text[] IS NULL OR s.environment = ANY ($10))
    AND ($11::text[] IS NULL OR s.key_id = ANY ($11))

-- part: by_group
-- Rollups with the place of their group, null for the others: $17 the groups that `totals` named.
{of_group}
LEFT JOIN jsonb_to_recordset($17::jsonb) AS k (place int, currency text, cost_class text, provider text,
    sku text, team text, project text, feature text, workflow text, workflow_version text, agent text,
    environment text, key_id text)
    ON (k.currency, k.cost_class, k.provider, k.sku, k.team, k.project,
        k.feature, k.workflow, k.workflow_version, k.agent, k.environment, k.key_id)
    = (r.currency, g.cost_class, g.provider, g.sku, g.team, g.project,
        g.feature, g.workflow, g.workflow_version, g.agent, g.environment, g.key_id)

-- part: of_group
-- Rollups with their series and the dimensions of their group: $16 names these, the others are '' for all, and
-- planned away.
FROM spent($12, $13, $14, $15) r JOIN series s USING (series_id)
{group}

-- part: group
-- The dimensions of a series' group.
CROSS JOIN LATERAL (
    SELECT
        CASE WHEN 'cost_class' = ANY ($16::text[]) THEN s.cost_class ELSE '' END AS cost_class,
        CASE WHEN 'provider' = ANY ($16) THEN s.provider ELSE '' END AS provider,
        CASE WHEN 'sku' = ANY ($16) THEN s.sku ELSE '' END AS sku,
        CASE WHEN 'team' = ANY ($16) THEN s.team ELSE '' END AS team,
        CASE WHEN 'project' = ANY ($16) THEN s.project ELSE '' END AS project,
        CASE WHEN 'feature' = ANY ($16) THEN s.feature ELSE '' END AS feature,
        CASE WHEN 'workflow' = ANY ($16) THEN s.workflow ELSE '' END AS workflow,
        CASE WHEN 'workflow_version' = ANY ($16) THEN s.workflow_version ELSE '' END AS workflow_version,
        CASE WHEN 'agent' = ANY ($16) THEN s.agent ELSE '' END AS agent,
        CASE WHEN 'environment' = ANY ($16) THEN s.environment ELSE '' END AS environment,
        CASE WHEN 'key_id' = ANY ($16) THEN s.key_id ELSE '' END AS key_id
) AS g

-- part: sums
-- What is added up of every group; `usage` = a map, where there are quantities without a column of their own.
sum(events)::bigint AS events, sum(unpriced_events)::bigint AS unpriced_events, sum(list) AS list,
    sum(contracted) AS contracted, sum(effective) AS effective, sum(of_which_provisional) AS of_which_provisional,
    any_value(usage) AS usage, {unit_sums}

-- name: groups
-- What each group came to in each of the pieces $13 to $15, whose starts are $17; at most $18 rows. Summed by series
-- first, so that few rows meet their series and are sorted.
WITH by_series AS (
    SELECT width_bucket(bucket, $17::timestamptz[]) AS piece, series_id, currency, max(bucket) AS last_minute, {sums}
    FROM spent($12, $13, $14, $15) GROUP BY 1, 2, 3
)
SELECT piece, currency, ARRAY[g.cost_class, g.provider, g.sku, g.team, g.project, g.feature, g.workflow,
    g.workflow_version, g.agent, g.environment, g.key_id] AS key, max(last_minute) AS last_minute, {sums}
FROM by_series r JOIN series s USING (series_id)
{group}
WHERE {allowed}
GROUP BY 1, 2, 3 LIMIT $18

-- name: groups_rest
-- Their quantities that have no column of their own, by unit.
SELECT width_bucket(r.bucket, $17::timestamptz[]) AS piece, r.currency, ARRAY[g.cost_class, g.provider, g.sku, g.team,
    g.project, g.feature, g.workflow, g.workflow_version, g.agent, g.environment, g.key_id] AS key, u.key AS unit,
    sum(u.value::numeric) AS quantity
{of_group}
CROSS JOIN jsonb_each(r.usage) AS u
WHERE r.usage IS NOT NULL AND {allowed}
GROUP BY 1, 2, 3, 4

-- name: series
-- The series that the filter lets through.
SELECT series_id FROM series s WHERE {allowed}

-- name: join_by_hash
-- For the rest of the transaction: rollups meet their series by hash. Series that are seconds old are in no
-- statistics yet; taken for one, thousands of them would be walked through for every row.
SELECT set_config('enable_nestloop', 'off', true)

-- name: totals
-- What was spent in the pieces $13 to $15 of tenant $12's time, by group and currency: a series that was ever seen
-- and spent nothing in the range costs nothing here. $16 the dimensions of the group, $17 what to rank by. Named are
-- each currency's groups $18 + 1 to $18 + $19; place = null sums up all others of it, and says how many these are.
SELECT currency, place, CASE WHEN place IS NULL THEN count(*) ELSE 0 END AS others,
    ARRAY[min(g1), min(g2), min(g3), min(g4), min(g5), min(g6), min(g7), min(g8), min(g9), min(g10), min(g11)]
        AS key,
    max(last_minute) AS last_minute, {sums}
FROM (
    SELECT *, CASE WHEN number > $18::int AND number <= $18 + $19::int THEN number - $18 END AS place
    FROM (
        SELECT *, row_number() OVER (PARTITION BY currency ORDER BY
            CASE $17::text WHEN 'list' THEN list WHEN 'contracted' THEN contracted ELSE effective END DESC,
            events DESC, g1 COLLATE "C", g2 COLLATE "C", g3 COLLATE "C", g4 COLLATE "C", g5 COLLATE "C",
            g6 COLLATE "C", g7 COLLATE "C", g8 COLLATE "C", g9 COLLATE "C", g10 COLLATE "C", g11 COLLATE "C"
        ) AS number
        FROM (
            SELECT g.cost_class AS g1, g.provider AS g2, g.sku AS g3, g.team AS g4, g.project AS g5,
            g.feature AS g6, g.workflow AS g7, g.workflow_version AS g8, g.agent AS g9, g.environment AS g10, g.key_id AS g11,
            r.currency, max(r.bucket) AS last_minute, {sums}
            {of_group}
            WHERE {allowed}
            GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
        ) AS groups
    ) AS numbered
) AS placed
GROUP BY currency, place ORDER BY currency, place

-- name: buckets
-- The same by bucket: $18 the starts of the buckets. What is not there is 0.
SELECT r.currency, k.place, width_bucket(r.bucket, $18::timestamptz[]) AS n, {sums}
{by_group}
WHERE {allowed}
GROUP BY 1, 2, 3

-- name: usage
-- Quantities of the same groups and buckets that have no column of their own, by unit.
SELECT r.currency, k.place, width_bucket(r.bucket, $18::timestamptz[]) AS n, u.key AS unit,
    sum(u.value::numeric) AS quantity
{by_group}
CROSS JOIN jsonb_each(r.usage) AS u
WHERE r.usage IS NOT NULL AND {allowed}
GROUP BY 1, 2, 3, 4
