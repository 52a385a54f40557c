-- part: wanted
-- The series of models that the filter lets through, each looked at once.
wanted AS MATERIALIZED (SELECT series_id, provider, sku FROM series s WHERE cost_class = 'model' AND {allowed})

-- part: allowed
-- What the filter lets through: $1 = the values that a dimension may have, by its name.
NOT EXISTS (SELECT FROM jsonb_each($1::jsonb) AS f (name, values) WHERE NOT f.values ? dimension(s, f.name))

-- name: join_by_hash
-- For the rest of the transaction: cells meet their series by hash. Series that are seconds old are in no statistics yet.
SELECT set_config('enable_nestloop', 'off', true)

-- name: traffic
-- What the series that $1 lets through used in the UTC days [$2, $3): by model, way of serving, unit and price entry, at
-- most $4 rows. Where unit = '' each event counts once, with what its lines leave of its amounts: of rows of bills that is
-- what is effective apart from what was agreed (`beside_bills`).
WITH {wanted}
SELECT c.currency, w.provider, w.sku, c.tier, c.region, c.batch, c.unit, c.entry, sum(c.events)::bigint AS events,
    sum(c.quantity) AS quantity, sum(c.list) AS list, sum(c.effective) AS effective,
    coalesce(sum(c.events) FILTER (WHERE c.unit = '' AND c.status = 'unpriced'), 0)::bigint AS unpriced,
    coalesce(sum(c.effective) FILTER (WHERE c.status = 'provisional'), 0) AS provisional,
    coalesce(sum(c.effective) FILTER (WHERE c.unit = '' AND c.status = 'reported'), 0) AS beside_bills
FROM cells c JOIN wanted w USING (series_id)
WHERE c.day >= $2 AND c.day < $3
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
HAVING sum(c.events) <> 0 OR sum(c.quantity) <> 0 OR sum(c.effective) <> 0
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8 LIMIT $4

-- name: daily
-- The same day by day.
WITH {wanted}
SELECT c.day, c.currency, w.provider, w.sku, c.tier, c.region, c.batch, c.unit, c.entry, sum(c.events)::bigint AS events,
    sum(c.quantity) AS quantity, sum(c.list) AS list, sum(c.effective) AS effective,
    coalesce(sum(c.events) FILTER (WHERE c.unit = '' AND c.status = 'unpriced'), 0)::bigint AS unpriced,
    coalesce(sum(c.effective) FILTER (WHERE c.status = 'provisional'), 0) AS provisional,
    coalesce(sum(c.effective) FILTER (WHERE c.unit = '' AND c.status = 'reported'), 0) AS beside_bills
FROM cells c JOIN wanted w USING (series_id)
WHERE c.day >= $2 AND c.day < $3
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
HAVING sum(c.events) <> 0 OR sum(c.quantity) <> 0 OR sum(c.effective) <> 0
ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9 LIMIT $4

-- name: calls
-- How the calls of these series went, in the same days: by model, end, mark of context and bucket of latency.
WITH {wanted}
SELECT w.provider, w.sku, q.call_status, q.over_context, q.latency, sum(q.calls)::bigint AS calls
FROM quality_hours q JOIN wanted w USING (series_id)
WHERE q.hour >= $2::date::timestamp AT TIME ZONE 'UTC' AND q.hour < $3::date::timestamp AT TIME ZONE 'UTC'
GROUP BY 1, 2, 3, 4, 5 HAVING sum(q.calls) <> 0
