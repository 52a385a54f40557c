-- part: grouped
-- The series of `sums` that the filter lets through, each once, with the values of $6, the dimensions of the group.
grouped AS MATERIALIZED (
    SELECT s.series_id, ARRAY(SELECT dimension(s, name) FROM unnest($6::text[]) AS name) AS key
    FROM series s WHERE tenant = $2 AND series_id = ANY (ARRAY(SELECT DISTINCT series_id FROM sums)) AND {allowed}
)

-- part: allowed
-- What the filter lets through: $1 = the values that a dimension may have, by its name.
NOT EXISTS (SELECT FROM jsonb_each($1::jsonb) AS f (name, values) WHERE NOT f.values ? dimension(s, f.name))

-- part: placed
-- `sums` with the place of their group, null for the others: $7 the groups that `totals` named.
FROM sums r JOIN grouped g USING (series_id)
    LEFT JOIN jsonb_to_recordset($7::jsonb) AS k (place int, currency text, key text[])
        ON k.currency = r.currency AND k.key = g.key

-- part: sums
-- What is added up of every group; `usage` = a map, where there are quantities without a column of their own.
sum(events)::bigint AS events, sum(unpriced_events)::bigint AS unpriced_events, sum(list) AS list,
    sum(contracted) AS contracted, sum(effective) AS effective, sum(of_which_provisional) AS of_which_provisional,
    any_value(usage) AS usage, {unit_sums}

-- name: groups
-- What each group came to in each of the pieces $3 to $5, whose starts are $7; at most $8 rows.
WITH sums AS MATERIALIZED (
    SELECT width_bucket(bucket, $7::timestamptz[]) AS piece, series_id, currency, max(bucket) AS last_minute, {sums}
    FROM {spent}($2, $3, $4, $5) GROUP BY piece, series_id, currency
), {grouped}
SELECT piece, currency, key, max(last_minute) AS last_minute, {sums}
FROM sums JOIN grouped USING (series_id) GROUP BY piece, currency, key HAVING {anything} LIMIT $8

-- name: groups_rest
-- Their quantities that have no column of their own, by unit.
WITH sums AS MATERIALIZED (
    SELECT width_bucket(bucket, $7::timestamptz[]) AS piece, series_id, currency, u.key AS unit,
        sum(u.value::numeric) AS quantity
    FROM {spent}($2, $3, $4, $5), jsonb_each(usage) AS u WHERE usage IS NOT NULL
    GROUP BY piece, series_id, currency, unit
), {grouped}
SELECT piece, currency, key, unit, sum(quantity) AS quantity
FROM sums JOIN grouped USING (series_id) GROUP BY piece, currency, key, unit HAVING {any_quantity}

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
    FROM {spent}($2, $3, $4, $5) GROUP BY series_id, currency
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
            FROM sums JOIN grouped USING (series_id) GROUP BY key, currency HAVING {anything}
        ) AS groups
    ) AS numbered
) AS placed
GROUP BY currency, place ORDER BY currency, place

-- name: buckets
-- The same by bucket: $8 the starts of the buckets. What is not there is 0.
WITH sums AS MATERIALIZED (
    SELECT series_id, currency, width_bucket(bucket, $8::timestamptz[]) AS n, {sums}
    FROM {spent}($2, $3, $4, $5) GROUP BY series_id, currency, n
), {grouped}
SELECT r.currency, k.place, n, {sums}
{placed}
GROUP BY r.currency, k.place, n

-- name: usage
-- Quantities of the same groups and buckets that have no column of their own, by unit.
WITH sums AS MATERIALIZED (
    SELECT series_id, currency, width_bucket(bucket, $8::timestamptz[]) AS n, u.key AS unit,
        sum(u.value::numeric) AS quantity
    FROM {spent}($2, $3, $4, $5), jsonb_each(usage) AS u WHERE usage IS NOT NULL GROUP BY series_id, currency, n, unit
), {grouped}
SELECT r.currency, k.place, n, unit, sum(quantity) AS quantity
{placed}
GROUP BY r.currency, k.place, n, unit HAVING {any_quantity}
