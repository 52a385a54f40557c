-- part: grouped
-- The series of `sums` that the filter lets through, each once, with the values of $6, the dimensions of the group.
grouped AS MATERIALIZED (
    SELECT s.series_id, ARRAY(SELECT dimension(s, name) FROM unnest($6::text[]) AS name) AS key
    FROM (SELECT DISTINCT series_id FROM sums) AS met JOIN series s USING (series_id)
    WHERE {allowed}
)

-- part: allowed
-- What the filter lets through: $1 = the values that a dimension may have, by its name.
NOT EXISTS (SELECT FROM jsonb_each($1::jsonb) AS f (name, values) WHERE NOT f.values ? dimension(s, f.name))

<<<<<<< HEAD
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
=======
-- part: placed
-- `sums` with the place of their group, null for the others: $7 the groups that `totals` named.
FROM sums r JOIN grouped g USING (series_id)
    LEFT JOIN jsonb_to_recordset($7::jsonb) AS k (place int, currency text, key text[])
        ON k.currency = r.currency AND k.key = g.key
>>>>>>> 57f8339 (Spend, events and budgets are asked by a tenant's own dimensions, which it declares and retires by API)

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
-- What was spent in the pieces $3 to $5 of tenant $2's time, by group and currency, summed by series first: a series
-- that was ever seen and spent nothing in the range costs nothing here, and one that spent is looked at once. $7 what
-- to rank by. Named are each currency's groups $8 + 1 to $8 + $9; place = null sums up all others of it, and says how
-- many these are.
WITH sums AS MATERIALIZED (
    SELECT series_id, currency, max(bucket) AS last_minute, {sums}
    FROM spent($2, $3, $4, $5) GROUP BY series_id, currency
), {grouped}
SELECT currency, place, CASE WHEN place IS NULL THEN count(*) ELSE 0 END AS others, min(key) AS key,
    max(last_minute) AS last_minute, {sums}
FROM (
    SELECT *, CASE WHEN number > $8::int AND number <= $8 + $9::int THEN number - $8 END AS place
    FROM (
        SELECT *, row_number() OVER (PARTITION BY currency ORDER BY
            CASE $7::text WHEN 'list' THEN list WHEN 'contracted' THEN contracted ELSE effective END DESC,
            events DESC, key COLLATE "C") AS number
        FROM (
            SELECT key, currency, max(last_minute) AS last_minute, {sums}
            FROM sums JOIN grouped USING (series_id) GROUP BY key, currency
        ) AS groups
    ) AS numbered
) AS placed
GROUP BY currency, place ORDER BY currency, place

-- name: buckets
-- The same by bucket: $8 the starts of the buckets. What is not there is 0.
WITH sums AS MATERIALIZED (
    SELECT series_id, currency, width_bucket(bucket, $8::timestamptz[]) AS n, {sums}
    FROM spent($2, $3, $4, $5) GROUP BY series_id, currency, n
), {grouped}
SELECT r.currency, k.place, n, {sums}
{placed}
GROUP BY r.currency, k.place, n

-- name: usage
-- Quantities of the same groups and buckets that have no column of their own, by unit.
WITH sums AS MATERIALIZED (
    SELECT series_id, currency, width_bucket(bucket, $8::timestamptz[]) AS n, u.key AS unit,
        sum(u.value::numeric) AS quantity
    FROM spent($2, $3, $4, $5), jsonb_each(usage) AS u WHERE usage IS NOT NULL GROUP BY series_id, currency, n, unit
), {grouped}
SELECT r.currency, k.place, n, unit, sum(quantity) AS quantity
{placed}
GROUP BY r.currency, k.place, n, unit
