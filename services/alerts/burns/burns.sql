-- name: hours
-- What the scope ($2, $3) of tenant $1 came to in each hour of [$5, $6), in currency $4: when it usually spends.
SELECT bucket, sum(effective) AS effective FROM scope_hours
WHERE tenant = $1 AND dimension = $2 AND value = $3 AND currency = $4 AND bucket >= $5 AND bucket < $6
GROUP BY bucket ORDER BY bucket

-- name: ended
-- Of whose burn people were told in the periods that are not over at $2, and when that was over.
SELECT rule_id, period_start, resolved_at, severity FROM incidents
WHERE tenant = $1 AND kind = 'burn' AND period_end > $2

-- name: window
-- What the series of tenant $1 within filter $6 spent in the pieces $2 to $4 of its time, in currency $5. What a bill says
-- (keys of $7 send them) was not spent at that hour, and what corrections added was not spent in it.
WITH sums AS MATERIALIZED (
    SELECT series_id, sum(effective) - greatest(sum(corrected), 0) AS effective
    FROM spent($1, $2, $3, $4) WHERE currency = $5 GROUP BY series_id
)
SELECT coalesce(sum(effective), 0)
FROM series_within($1, ARRAY(SELECT series_id FROM sums), ARRAY[$6::jsonb]) AS w
    JOIN sums USING (series_id) JOIN series s USING (series_id)
WHERE s.tenant = $1 AND s.key_id <> ALL ($7::text[])
