-- name: unsettled
-- Whether of tenant $1's last complete day, from $2 to $3, something waits to be added up (where $6 asks that), or of all
-- from $4 on more than $5 hours do: what is half there looks like a fall, and then like a rise.
SELECT $6 AND (EXISTS (SELECT FROM touched WHERE tenant = $1 AND size <> 'day' AND bucket >= $2 AND bucket < $3)
        OR EXISTS (SELECT FROM scope_hours_due WHERE tenant = $1 AND bucket >= $2 AND bucket < $3))
    OR EXISTS (SELECT FROM scope_hours_missing WHERE tenant = $1 AND until > $4)
    OR (SELECT count(*) FROM (
        SELECT FROM scope_hours_due WHERE tenant = $1 AND bucket >= $4 AND bucket < $3 LIMIT $5 + 1) AS due) > $5

-- name: scopes
-- The $5 scopes of tenant $1 with the most money in [$2, $3), in currency $4.
SELECT dimension, value FROM scope_hours
WHERE tenant = $1 AND bucket >= $2 AND bucket < $3 AND currency = $4
GROUP BY dimension, value ORDER BY sum(effective) DESC, dimension, value LIMIT $5

-- name: priced
-- What was used of each unit at each entry of the price list on the days (UTC) from $2 to $3, by tenant $1 in currency $4,
-- and what that came to: prices, of what has one.
SELECT day, s.provider, s.sku, unit, tier, region, batch, entry, sum(quantity) AS quantity, sum(c.effective) AS effective
FROM cells c JOIN series s USING (tenant, series_id)
WHERE tenant = $1 AND day >= $2 AND day < $3 AND currency = $4 AND unit <> '' AND status = 'priced'
GROUP BY day, s.provider, s.sku, unit, tier, region, batch, entry HAVING sum(quantity) > 0 AND sum(c.effective) > 0

-- name: days
-- What the scopes ($4, $5) of tenant $1 came to on each of the days that begin and end at $3, in currency $2, by its
-- place. Its money is also said at today's prices: times $9, of sku ($7, $8) on the day with place $6.
SELECT h.dimension, h.value, place, sum(effective) AS effective,
    sum(round(effective * coalesce(factor, 1), 12)) AS worth, sum(of_which_provisional) AS provisional,
    sum(events)::bigint AS calls, sum(unpriced_events)::bigint AS unpriced,
    coalesce(sum(coalesce(input_tokens, 0) + coalesce(cache_read_tokens, 0) + coalesce(cache_write_5m_tokens, 0)
        + coalesce(cache_write_1h_tokens, 0)), 0) AS input,
    coalesce(sum(cache_read_tokens), 0) AS cached, coalesce(sum(output_tokens), 0) AS output
FROM (
    SELECT *, width_bucket(bucket, $3::timestamptz[]) - 1 AS place FROM scope_hours
    WHERE tenant = $1 AND currency = $2 AND bucket >= ($3::timestamptz[])[1]
        AND bucket < ($3::timestamptz[])[cardinality($3::timestamptz[])]
) AS h
    JOIN unnest($4::text[], $5::text[]) AS asked (dimension, value) USING (dimension, value)
    LEFT JOIN unnest($6::int[], $7::text[], $8::text[], $9::numeric[]) AS p (place, provider, sku, factor)
        USING (place, provider, sku)
GROUP BY h.dimension, h.value, place

-- name: uses
-- What the scope ($3, $4) of tenant $1 used of each sku, in currency $2: from $5 to $6, and (now) from $6 to $7.
SELECT provider, sku, bucket >= $6 AS now, sum(events) AS events, sum(unpriced_events) AS unpriced_events,
    sum(effective) AS effective, sum(of_which_provisional) AS provisional, {unit_sums}
FROM scope_hours WHERE tenant = $1 AND currency = $2 AND dimension = $3 AND value = $4 AND bucket >= $5 AND bucket < $7
GROUP BY provider, sku, now

-- name: told
-- The tenant's newest $3 incidents about levels that were opened since $2: of its money of now, in currency $4.
SELECT kind, state, scope, details, opened_at FROM incidents
WHERE tenant = $1 AND kind IN ('shift', 'drift') AND opened_at >= $2 AND currency = $4 ORDER BY opened_at DESC, id LIMIT $3
