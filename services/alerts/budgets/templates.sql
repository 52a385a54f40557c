-- name: series_values
-- What each value of dimension $7 came to in the pieces $2 to $4 of tenant $1's time, in currency $5 and within filter
-- $6: those from $8 on, and the named ones $9; the $10 largest. What is folded is nobody's.
WITH sums AS MATERIALIZED (
    SELECT series_id, sum(effective) AS effective, sum(of_which_provisional) AS provisional,
        sum(corrected) AS corrected
    FROM spent($1, $2, $3, $4) WHERE currency = $5 GROUP BY series_id
), counted AS (
    SELECT dimension(s, $7) AS value, effective, provisional, corrected
    FROM series_within($1, ARRAY(SELECT series_id FROM sums), ARRAY[$6::jsonb]) AS w
        JOIN sums USING (series_id) JOIN series s ON s.tenant = $1 AND s.series_id = w.series_id
)
SELECT value, sum(effective) AS effective, sum(provisional) AS provisional, sum(corrected) AS corrected,
    NULL::timestamptz AS first_at
FROM counted WHERE value NOT IN ('', '~other') GROUP BY value
HAVING sum(effective) >= $8 OR value = ANY ($9::text[]) ORDER BY sum(effective) DESC, value LIMIT $10

-- name: run_values
-- What runs of tenant $1 that called since $2, and the named ones $3, came to in all, in currency $4 and within filter
-- $5: those that began since $6 and came to $7; the $8 dearest. All rows of a run count, whenever it called.
WITH lately AS (
    SELECT run FROM runs WHERE tenant = $1 AND last_at >= $2 AND currency = $4 UNION SELECT unnest($3::text[])
)
SELECT run AS value, sum(effective) AS effective, sum(of_which_provisional) AS provisional, 0::numeric AS corrected,
    min(first_at) AS first_at
FROM lately JOIN runs r USING (run)
WHERE tenant = $1 AND currency = $4 AND jsonb_build_object('agent', agent, 'workflow', workflow,
    'workflow_version', workflow_version, 'cost_class', cost_class, 'provider', provider, 'sku', sku) @> $5::jsonb
GROUP BY run HAVING min(first_at) >= $6 AND (sum(effective) >= $7 OR run = ANY ($3::text[]))
ORDER BY sum(effective) DESC, run LIMIT $8

-- name: user_values
-- What each person of tenant $1 came to in the month of UTC that begins on $2, in currency $3: those from $4 on, and the
-- named ones $5; the $6 largest.
SELECT "user" AS value, effective, of_which_provisional AS provisional, 0::numeric AS corrected,
    NULL::timestamptz AS first_at
FROM user_months WHERE tenant = $1 AND month = $2 AND currency = $3 AND (effective >= $4 OR "user" = ANY ($5::text[]))
ORDER BY effective DESC, "user" LIMIT $6
