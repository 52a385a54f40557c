-- name: count
-- What each of $7's filters, in $6's currency, came to in each part of tenant $1's time, read in the pieces $2 to $4:
-- $5 holds the parts' beginnings; where $8 says so, in each minute. Summed by series first, so that a filter looks at
-- a series once. The $10 largest series of each are named where $9 says so.
WITH sums AS MATERIALIZED (
    SELECT currency, series_id, sum(effective) AS effective, sum(of_which_provisional) AS provisional,
        sum(corrected) AS corrected,
        CASE WHEN $8 THEN bucket ELSE ($5::timestamptz[])[width_bucket(bucket, $5)] END AS at
    FROM spent($1, $2, $3, $4)
    GROUP BY currency, series_id, at
), counted AS (
    SELECT place, at, sums.series_id, effective, provisional, corrected
    FROM series_within($1, ARRAY(SELECT DISTINCT series_id FROM sums), $7::jsonb[]) AS w
        JOIN sums USING (series_id)
    WHERE sums.currency = ($6::text[])[place]
)
SELECT place::int, at, sum(effective) AS effective, sum(provisional) AS provisional,
    sum(corrected) AS corrected,
    (array_agg(series_id ORDER BY effective DESC) FILTER (WHERE $9))[:$10] AS leaders,
    (array_agg(effective ORDER BY effective DESC) FILTER (WHERE $9))[:$10] AS amounts
FROM counted GROUP BY place, at
