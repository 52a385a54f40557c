-- name: unit_prices
-- What a unit of each sku of tenant $1 came to on the days (UTC) of [$2, $3), before, and of [$4, $5), now, by the
-- currency of the book: amounts and quantities of what has a price. As new as projections are, some seconds.
SELECT currency, provider, sku, unit, sum(quantity_before) AS quantity_before, sum(effective_before) AS effective_before,
    sum(quantity_now) AS quantity_now, sum(effective_now) AS effective_now
FROM (
    SELECT series_id, currency, unit,
        sum(quantity) FILTER (WHERE day >= $2 AND day < $3) AS quantity_before,
        sum(effective) FILTER (WHERE day >= $2 AND day < $3) AS effective_before,
        sum(quantity) FILTER (WHERE day >= $4 AND day < $5) AS quantity_now,
        sum(effective) FILTER (WHERE day >= $4 AND day < $5) AS effective_now
    FROM cells
    WHERE tenant = $1 AND (day >= $2 AND day < $3 OR day >= $4 AND day < $5) AND unit <> '' AND status = 'priced'
    GROUP BY series_id, currency, unit
) AS used JOIN (SELECT series_id, provider, sku FROM series WHERE tenant = $1) AS s USING (series_id)
GROUP BY currency, provider, sku, unit
