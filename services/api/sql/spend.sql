-- name: series
-- The series that the filter lets through, each with what the group knows it by. $1 the group's dimensions;
-- then the values that each dimension may have, in the order of DIMENSIONS (null = any): planned with the
-- values at hand, what is null costs nothing.
SELECT series_id, ARRAY(
    SELECT to_jsonb(s) ->> d FROM unnest($1::text[]) WITH ORDINALITY AS g (d, i) ORDER BY i
) AS key
FROM series s
WHERE ($2::text[] IS NULL OR cost_class = ANY ($2)) AND ($3::text[] IS NULL OR provider = ANY ($3))
    AND ($4::text[] IS NULL OR sku = ANY ($4)) AND ($5::text[] IS NULL OR team = ANY ($5))
    AND ($6::text[] IS NULL OR project = ANY ($6)) AND ($7::text[] IS NULL OR feature = ANY ($7))
    AND ($8::text[] IS NULL OR workflow = ANY ($8)) AND ($9::text[] IS NULL OR workflow_version = ANY ($9))
    AND ($10::text[] IS NULL OR agent = ANY ($10)) AND ($11::text[] IS NULL OR environment = ANY ($11))
    AND ($12::text[] IS NULL OR key_id = ANY ($12))

-- name: sums
-- Minute rollups added up over shards and days of recording, by group and bucket, currencies apart.
-- $1 from, $2 to, $3 series and $4 their groups' numbers, $5 starts of the buckets, $6 whether a row a bucket
-- is asked for, ($7, $8, $9) the bucket, group and currency after which the page begins, $10 rows a page.
-- n = the number of the bucket, from 1; null = the total of the range.
WITH cells AS MATERIALIZED (
    SELECT w.grp, width_bucket(r.bucket, $5::timestamptz[]) AS n, r.currency,
        sum(r.events) AS events, sum(r.unpriced_events) AS unpriced_events, sum(r.list) AS list,
        sum(r.contracted) AS contracted, sum(r.effective) AS effective,
        sum(r.of_which_provisional) AS of_which_provisional
    FROM rollups_minute r JOIN unnest($3::bytea[], $4::int[]) AS w (series_id, grp) USING (series_id)
    WHERE r.bucket >= $1 AND r.bucket < $2
    GROUP BY 1, 2, 3
)
SELECT grp, NULL::int AS n, currency, sum(events)::bigint AS events,
    sum(unpriced_events)::bigint AS unpriced_events, sum(list) AS list, sum(contracted) AS contracted,
    sum(effective) AS effective, sum(of_which_provisional) AS of_which_provisional
FROM cells GROUP BY grp, currency
UNION ALL (
    SELECT grp, n, currency, events::bigint, unpriced_events::bigint, list, contracted, effective,
        of_which_provisional
    FROM cells WHERE $6 AND (n, grp, currency) > ($7::int, $8::int, $9::text)
    ORDER BY n, grp, currency LIMIT $10
)

-- name: usage
-- The quantities of the same groups and buckets; up to $6, the last bucket of the page.
WITH cells AS MATERIALIZED (
    SELECT w.grp, width_bucket(r.bucket, $5::timestamptz[]) AS n, r.currency, u.key AS unit,
        sum(u.value::numeric) AS quantity
    FROM rollups_minute r JOIN unnest($3::bytea[], $4::int[]) AS w (series_id, grp) USING (series_id)
    CROSS JOIN jsonb_each(r.usage) AS u
    WHERE r.bucket >= $1 AND r.bucket < $2
    GROUP BY 1, 2, 3, 4
)
SELECT grp, NULL::int AS n, currency, unit, sum(quantity) AS quantity FROM cells GROUP BY grp, currency, unit
UNION ALL
SELECT grp, n, currency, unit, quantity FROM cells WHERE n BETWEEN $6 AND $7
