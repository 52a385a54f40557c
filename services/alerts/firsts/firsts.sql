-- part: values_of_series
-- The watched dimensions of a series `s`, each a row.
(VALUES ('sku', s.sku), ('provider', s.provider), ('key_id', s.key_id), ('agent', s.agent))
    AS named (dimension, value)

-- name: recent
-- What each value of the watched dimensions has spent in the pieces $2 to $4 of tenant $1's time, in currency $5, live
-- alone: what keys of $6 sent is billed or accrued, and what a period changes nobody used. The $7 largest. Of a model its
-- provider is said, of each value its largest series.
WITH sums AS MATERIALIZED (
    SELECT series_id, sum(effective) AS effective, sum(of_which_provisional) AS provisional, sum(events) AS events,
        sum(unpriced_events) AS unpriced_events
    FROM spent($1, $2, $3, $4) WHERE currency = $5 GROUP BY series_id
)
SELECT dimension, value, min(provider) AS provider, sum(effective) AS effective, sum(provisional) AS provisional,
    sum(events)::bigint AS events, sum(unpriced_events)::bigint AS unpriced_events,
    (array_agg(series_id ORDER BY effective DESC))[1] AS leader, max(effective) AS leader_amount
FROM sums JOIN series s USING (series_id) CROSS JOIN LATERAL {values_of_series}
WHERE s.tenant = $1 AND value <> '' AND s.key_id <> ALL ($6::text[])
    AND series_id <> ALL ((SELECT accrual_series($1))::bytea[])
GROUP BY dimension, value
ORDER BY sum(effective) DESC, sum(unpriced_events) DESC, value LIMIT $7

-- name: met
-- When each of the values $3 of the dimensions $2 was first booked: series are gone through once for all of them.
SELECT dimension, value, min(first_seen) AS first_seen
FROM series s CROSS JOIN LATERAL {values_of_series}
    JOIN unnest($2::text[], $3::text[]) AS asked (dimension, value) USING (dimension, value)
WHERE s.tenant = $1 GROUP BY dimension, value

-- name: last_spent
-- When each of the values $6 of the dimensions $5 last spent in the pieces $2 to $4 of tenant $1's time: the beginning of
-- the bucket.
WITH active AS MATERIALIZED (
    SELECT series_id, max(bucket) AS bucket FROM spent($1, $2, $3, $4) WHERE events > 0 GROUP BY series_id
)
SELECT dimension, value, max(bucket) AS last_at
FROM active JOIN series s USING (series_id) CROSS JOIN LATERAL {values_of_series}
    JOIN unnest($5::text[], $6::text[]) AS asked (dimension, value) USING (dimension, value)
WHERE s.tenant = $1 GROUP BY dimension, value

-- name: known_since
-- When the tenant's first event was booked.
SELECT min(first_seen) FROM series WHERE tenant = $1
