-- name: rolled
-- How often what tenant $1 spent on each of these days (UTC) was counted anew: cells follow.
SELECT day, sum(generation)::bigint AS generation FROM rolled WHERE tenant = $1 AND day BETWEEN $2 AND $3 GROUP BY day

-- name: unit_prices
-- What the units of each sku of tenant $1 came to in each of the stretches of days (UTC) that begin with $2 and end before
-- $3, by the currency of the book: of what has a price. As new as projections are, some seconds.
SELECT place, currency, provider, sku, unit, sum(quantity) AS quantity, sum(effective) AS effective
FROM (
    SELECT place, series_id, currency, unit, sum(quantity) AS quantity, sum(effective) AS effective
    FROM unnest($2::date[], $3::date[]) WITH ORDINALITY AS days (first, beyond, place)
        JOIN cells ON tenant = $1 AND day >= first AND day < beyond
    WHERE unit <> '' AND status = 'priced'
    GROUP BY place, series_id, currency, unit
) AS used JOIN (SELECT series_id, provider, sku FROM series WHERE tenant = $1) AS s USING (series_id)
GROUP BY place, currency, provider, sku, unit
