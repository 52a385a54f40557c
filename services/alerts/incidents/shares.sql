-- name: spent_in_scopes
-- What each of $6's scopes, in currency $5, came to in the pieces $2 to $4 of tenant $1's time. Summed by series first, so
-- that a scope looks at a series once.
WITH sums AS MATERIALIZED (
    SELECT series_id, sum(effective) AS effective FROM spent($1, $2, $3, $4) WHERE currency = $5 GROUP BY series_id
)
SELECT place::int, sum(effective) AS effective
FROM series_within($1, ARRAY(SELECT series_id FROM sums), $6::jsonb[]) JOIN sums USING (series_id)
GROUP BY place
