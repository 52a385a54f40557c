-- part: sums
-- Of every group; `corrected`: what of `effective` corrections have added or taken.
sum(events)::bigint AS events, sum(unpriced_events)::bigint AS unpriced_events, sum(list) AS list,
    sum(contracted) AS contracted, sum(effective) AS effective, sum(of_which_provisional) AS of_which_provisional,
    sum(corrected) AS corrected

-- part: placed
-- Which of the filters $7 let each series of `sums` through, by their places from 1.
placed AS MATERIALIZED (
    SELECT series_id, array_agg(place ORDER BY place) AS within
    FROM series_within($1, ARRAY(SELECT DISTINCT series_id FROM sums), $7::jsonb[]) GROUP BY series_id
)

-- part: named
-- What a statement tells the series of `sums` apart by: of the value $8 and of pools ($9) all, of others their value.
named AS MATERIALIZED (
    SELECT s.series_id, dimension(s, $6) AS value, coalesce(within, '{}') AS within, told.*
    FROM series s LEFT JOIN placed USING (series_id), LATERAL (
        SELECT coalesce(dimension(s, $6) = $8::text OR within && $9::bigint[], false) AS is_told
    ) AS asked, LATERAL (
        SELECT CASE WHEN is_told THEN s.cost_class ELSE '' END AS cost_class,
            CASE WHEN is_told THEN s.provider ELSE '' END AS provider, CASE WHEN is_told THEN s.sku ELSE '' END AS sku
    ) AS told
    WHERE s.tenant = $1 AND s.series_id = ANY (ARRAY(SELECT DISTINCT series_id FROM sums))
)

-- part: used
-- Of `used`, by week, unit, value of dimension $6 and the filters that let it through.
SELECT week, unit, dimension(s, $6) AS value, coalesce(within, '{}') AS within, sum(quantity) AS quantity
FROM used JOIN series s ON s.tenant = $1 AND s.series_id = used.series_id
    LEFT JOIN placed ON placed.series_id = used.series_id
WHERE quantity IS NOT NULL GROUP BY week, unit, value, within

-- name: acts
-- Every act on the plans of a dimension, the newest first; $1 null = of all.
SELECT number, dimension, first_day, pools, reason, by, at FROM allocation_plans
WHERE $1::text IS NULL OR dimension = $1 ORDER BY number DESC LIMIT $2

-- name: hold
-- Until the transaction's end nobody else sets a plan of this tenant.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1634495599))

-- name: act
-- A version of a plan; those before stay in their rows.
INSERT INTO allocation_plans (tenant, dimension, first_day, pools, reason, by) VALUES ($1, $2, $3, $4, $5, $6)

-- name: join_by_hash
-- For the rest of the transaction: rollups meet their series by hash, as in spend.
SELECT set_config('enable_nestloop', 'off', true)

-- name: booked
-- What was spent in the pieces $2 to $4 of tenant $1's time, by week ($5 their starts), by the value of dimension
-- $6, and by the filters that let it through. Of the value $8 and of pools, which are the filters $9, by what a
-- statement tells apart as well; else thousands of skus would be rows that nobody shows. Summed by series first, as
-- in spend.
WITH sums AS MATERIALIZED (
    SELECT width_bucket(bucket, $5::timestamptz[]) AS week, series_id, currency, {sums}
    FROM {spent}($1, $2, $3, $4) GROUP BY week, series_id, currency
), {placed}, {named}
SELECT week, currency, value, cost_class, provider, sku, within, {sums}
FROM sums JOIN named USING (series_id)
GROUP BY week, currency, value, cost_class, provider, sku, within HAVING {anything} LIMIT $10

-- name: quantities
-- How much of each of the units $8, which have a column of their own, was used, by the same.
WITH sums AS MATERIALIZED (
    SELECT width_bucket(bucket, $5::timestamptz[]) AS week, series_id, {unit_sums}
    FROM {spent}($1, $2, $3, $4) GROUP BY week, series_id
), used AS (
    SELECT week, series_id, unit, (to_jsonb(sums) ->> unit)::numeric AS quantity FROM sums, unnest($8::text[]) AS unit
), {placed}
{used}

-- name: quantities_rest
-- The same of units that have none.
WITH sums AS MATERIALIZED (
    SELECT width_bucket(bucket, $5::timestamptz[]) AS week, series_id, u.key AS unit,
        sum(u.value::numeric) AS quantity
    FROM {spent}($1, $2, $3, $4), jsonb_each(usage) AS u WHERE usage IS NOT NULL AND u.key = ANY ($8::text[])
    GROUP BY week, series_id, unit
), used AS (SELECT * FROM sums), {placed}
{used}

-- name: carried_days
-- Of which days something was booked in accounting period $2, which is not theirs.
SELECT DISTINCT bucket FROM carried c WHERE tenant = $1 AND accounting_period = $2 AND {as_it_stood}

-- name: carried
-- What was booked of the days from $2 until $3 in other accounting periods since $4; else as `booked`.
WITH sums AS MATERIALIZED (
    SELECT width_bucket(bucket, $5::timestamptz[]) AS week, accounting_period, series_id, currency, {sums}
    FROM carried c
    WHERE tenant = $1 AND bucket >= $2 AND bucket < $3 AND accounting_period >= $4 AND {as_it_stood}
    GROUP BY week, accounting_period, series_id, currency
), {placed}, {named}
SELECT week, accounting_period, currency, value, cost_class, provider, sku, within, {sums}
FROM sums JOIN named USING (series_id)
GROUP BY week, accounting_period, currency, value, cost_class, provider, sku, within LIMIT $10

-- name: carried_quantities
-- And how much of each of the units $8 was used.
WITH sums AS MATERIALIZED (
    SELECT width_bucket(bucket, $5::timestamptz[]) AS week, accounting_period, series_id, u.key AS unit,
        sum(u.value::numeric) AS quantity
    FROM carried c, jsonb_each(usage) AS u
    WHERE tenant = $1 AND bucket >= $2 AND bucket < $3 AND accounting_period >= $4 AND u.key = ANY ($8::text[])
        AND {as_it_stood}
    GROUP BY week, accounting_period, series_id, unit
), {placed}
SELECT week, accounting_period, unit, dimension(s, $6) AS value, coalesce(within, '{}') AS within,
    sum(quantity) AS quantity
FROM sums JOIN series s ON s.tenant = $1 AND s.series_id = sums.series_id
    LEFT JOIN placed ON placed.series_id = sums.series_id
GROUP BY week, accounting_period, unit, value, within

-- name: seen
-- Which of the values $2 of a dimension $1 any event ever had.
SELECT DISTINCT dimension(s, $1) AS value FROM series s WHERE dimension(s, $1) = ANY ($2::text[])
