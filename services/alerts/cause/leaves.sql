-- part: live
-- Spend as it happens: what accrues by the hour, and what bills say, lies at minutes at which it was not spent.
series_id <> ALL ((SELECT accrual_series($1))::bytea[])

-- name: leaves
-- What the series of tenant $1 within scope $6 cost and used, in currency $5: in the incident's minutes (from $7 on),
-- in the hour before (from $8 on), and in the other pieces of $2 to $4. For all that is read of the book at once: those
-- $11 with the largest excess, then those with the most money, up to $12; the others together have no series. What
-- is expected of one is the larger of what it cost in the hour before times $9, and in the other pieces times $10: how
-- long the incident lasts over how long they do. Keys of $13 send bills.
WITH booked AS MATERIALIZED (
    SELECT series_id, CASE WHEN bucket >= $7 THEN 'now' WHEN bucket >= $8 THEN 'before' ELSE 'days' END AS span,
        sum(effective) AS effective, sum(of_which_provisional) AS provisional, sum(events) AS events,
        sum(unpriced_events) AS unpriced_events, {unit_sums}
    FROM spent($1, $2, $3, $4) WHERE currency = $5 AND {live}
    GROUP BY series_id, span
), live AS MATERIALIZED (
    SELECT series_id FROM series_within($1, ARRAY(SELECT DISTINCT series_id FROM booked), ARRAY[$6::jsonb]) AS w
        JOIN series s USING (series_id)
    WHERE s.tenant = $1 AND s.key_id <> ALL ($13::text[])
), weighed AS (
    SELECT series_id, coalesce(sum(effective) FILTER (WHERE span = 'now'), 0) AS actual,
        greatest(coalesce(sum(effective) FILTER (WHERE span = 'before'), 0) * $9::numeric,
            coalesce(sum(effective) FILTER (WHERE span = 'days'), 0) * $10::numeric) AS expected
    FROM booked JOIN live USING (series_id) GROUP BY series_id
), ranked AS (
    SELECT *, row_number() OVER (ORDER BY actual - expected DESC, series_id) <= $11 AS rose FROM weighed
), chosen AS (
    SELECT series_id FROM ranked ORDER BY rose DESC, greatest(actual, expected) DESC, series_id LIMIT $12
), told AS (
    SELECT c.series_id, b.span, effective, provisional, events, unpriced_events, {units}
    FROM booked b JOIN live USING (series_id) LEFT JOIN chosen c USING (series_id)
)
SELECT t.series_id, span, dimensions(s) AS dimensions, sum(effective) AS effective, sum(provisional) AS provisional,
    sum(events) AS events, sum(unpriced_events) AS unpriced_events, {unit_sums}
FROM told t LEFT JOIN series s ON s.tenant = $1 AND s.series_id = t.series_id
GROUP BY t.series_id, span, dimensions(s)

-- name: unit_prices
-- What a unit of each sku among series $2 of tenant $1 cost, in currency $3, on the days (UTC) from $4 on, and from $5
-- on: of what has a price. A day's cells are few for each series, and are as new as the projections are, some seconds.
SELECT s.provider, s.sku, unit, day >= $5 AS now, sum(quantity) AS quantity, sum(effective) AS effective
FROM cells c JOIN series s USING (tenant, series_id)
WHERE tenant = $1 AND series_id = ANY ($2::bytea[]) AND currency = $3 AND day >= $4 AND unit <> '' AND status = 'priced'
GROUP BY s.provider, s.sku, unit, now HAVING sum(quantity) > 0

-- name: first_seen
-- When the tenant's first series was met: its past begins then.
SELECT min(first_seen) FROM series WHERE tenant = $1
