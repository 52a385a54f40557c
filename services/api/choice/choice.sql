-- name: by_hash
-- For the rest of the transaction: rows meet their series by hash, for series that are seconds old are in no statistics
-- yet; and they are added up by hash: to sort them takes many times as long.
SELECT set_config('enable_nestloop', 'off', true), set_config('enable_sort', 'off', true)

-- name: folded
-- How often what tenant $1 used in the UTC days [$2, $3), and how its calls went, have changed: it only grows.
SELECT coalesce(sum(generation), 0)::bigint FROM folded_days WHERE tenant = $1 AND day >= $2 AND day < $3

-- name: wanted
-- The series of models that a filter lets through: $1 = the values that a dimension may have, by its name.
SELECT series_id, provider, sku FROM series s
WHERE cost_class = 'model' AND sku <> 'true-up' AND NOT EXISTS (
    SELECT FROM jsonb_each($1::jsonb) AS f (name, values) WHERE NOT f.values ? dimension(s, f.name))

-- part: of_models
-- Of the providers $3 and the models $4; null = of all. What a whole period changes is no traffic.
sku <> 'true-up' AND ($3::text[] IS NULL OR provider = ANY ($3)) AND ($4::text[] IS NULL OR sku = ANY ($4))

-- part: of_series
-- Of the series $3, which are of the providers $4 and the models $5.
JOIN unnest($3::bytea[], $4::text[], $5::text[]) AS w (series_id, provider, sku) USING (series_id)
WHERE series_id = ANY ($3)

-- part: sums
-- Where unit = '' each event counts once, with what its lines leave of its amounts: of rows of bills that is what is
-- effective apart from what was agreed (`beside_bills`).
sum(events)::bigint AS events, sum(quantity) AS quantity, sum(list) AS list, sum(effective) AS effective,
    coalesce(sum(events) FILTER (WHERE unit = '' AND status = 'unpriced'), 0)::bigint AS unpriced,
    coalesce(sum(effective) FILTER (WHERE status = 'provisional'), 0) AS provisional,
    coalesce(sum(effective) FILTER (WHERE unit = '' AND status = 'reported'), 0) AS beside_bills

-- part: something
-- At most {rows_max}, without those that came to nothing.
HAVING sum(events) <> 0 OR sum(quantity) <> 0 OR sum(effective) <> 0 LIMIT {rows_max}

-- name: traffic
-- What was used of models in the UTC days [$1, $2): by model, way of serving, unit and price entry.
SELECT currency, provider, sku, tier, region, batch, unit, entry, {sums}
FROM model_days WHERE day >= $1 AND day < $2 AND {of_models}
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 {something}

-- name: traffic_of_series
-- The same of some series.
SELECT currency, provider, sku, tier, region, batch, unit, entry, {sums}
FROM cells {of_series} AND day >= $1 AND day < $2
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 {something}

-- name: daily
-- What was used, day by day.
SELECT day, currency, provider, sku, tier, region, batch, unit, entry, {sums}
FROM model_days WHERE day >= $1 AND day < $2 AND {of_models}
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 {something}

-- name: daily_of_series
-- The same of some series.
SELECT day, currency, provider, sku, tier, region, batch, unit, entry, {sums}
FROM cells {of_series} AND day >= $1 AND day < $2
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 {something}

-- name: calls
-- How calls went, in the same days: by model, end, mark of context and bucket of latency.
SELECT provider, sku, call_status, over_context, latency, sum(calls)::bigint AS calls
FROM model_call_days WHERE day >= $1 AND day < $2 AND {of_models}
GROUP BY 1, 2, 3, 4, 5 HAVING sum(calls) <> 0

-- name: calls_of_series
-- The same of some series.
SELECT provider, sku, call_status, over_context, latency, sum(calls)::bigint AS calls
FROM quality_hours {of_series}
    AND hour >= $1::date::timestamp AT TIME ZONE 'UTC' AND hour < $2::date::timestamp AT TIME ZONE 'UTC'
GROUP BY 1, 2, 3, 4, 5 HAVING sum(calls) <> 0
