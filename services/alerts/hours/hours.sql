-- name: unsettled
-- Whether of tenant $1's hours something waits to be added up by scope: in [$2, $3), or of those since $4 that no mark says
-- so of: what is half there is no quiet hour.
SELECT EXISTS (SELECT FROM touched WHERE tenant = $1 AND size <> 'day' AND bucket >= $2 AND bucket < $3)
    OR EXISTS (SELECT FROM scope_hours_due WHERE tenant = $1 AND bucket >= $2 AND bucket < $3)
    OR EXISTS (SELECT FROM scope_hours_missing WHERE tenant = $1 AND until > $4)

-- name: minutes
-- What the scopes of tenant $1 came to in the minutes from $3 to $4, in currency $2; of each dimension the $5 values with the
-- most money, the others in one row, as in the hours that were added up. Live spend alone: keys of $6 send bills. Of what
-- was corrected only what became less counts.
WITH sums AS MATERIALIZED (
    SELECT series_id, sum(events) AS events, sum(of_which_provisional) AS provisional,
        least(sum(effective), coalesce(sum(effective) FILTER (WHERE shard >= 0), 0)) AS effective
    FROM rollups_minute WHERE tenant = $1 AND currency = $2 AND bucket >= $3 AND bucket < $4
        AND series_id <> ALL ((SELECT accrual_series($1))::bytea[])
    GROUP BY series_id
), named AS MATERIALIZED (
    SELECT dimension, value, sum(effective) AS effective, sum(events) AS events, sum(provisional) AS provisional,
        row_number() OVER (PARTITION BY dimension ORDER BY sum(effective) DESC, value) AS place
    FROM sums JOIN series s ON s.tenant = $1 AND s.series_id = sums.series_id AND s.key_id <> ALL ($6::text[])
        CROSS JOIN LATERAL (
            VALUES ('team', team), ('project', project), ('feature', feature), ('workflow', workflow),
                ('agent', agent), ('sku', sku), ('provider', provider), ('key_id', key_id)
            UNION ALL SELECT key, value FROM jsonb_each_text(own)
            UNION ALL SELECT 'tenant', NULL
        ) AS d (dimension, value)
    WHERE value IS DISTINCT FROM '' GROUP BY dimension, value
)
SELECT dimension, coalesce(CASE WHEN place <= $5 THEN value END, '') AS value, sum(effective) AS effective,
    sum(events)::bigint AS events, sum(provisional) AS provisional
FROM named GROUP BY 1, 2

-- name: hours
-- What the scopes ($4, $5) of tenant $1 came to in each of the hours $3, in currency $2: from hour to hour along the key,
-- however many scopes there are beside them.
SELECT asked.dimension, asked.value, hour, effective, events, provisional
FROM unnest($4::text[], $5::text[]) AS asked (dimension, value) CROSS JOIN unnest($3::timestamptz[]) AS hour
    CROSS JOIN LATERAL (
        SELECT sum(h.effective) AS effective, sum(h.events)::bigint AS events, sum(h.of_which_provisional) AS provisional
        FROM scope_hours h WHERE h.tenant = $1 AND h.bucket = hour AND h.dimension = asked.dimension
            AND h.value = asked.value AND h.currency = $2
    ) AS summed
WHERE effective IS NOT NULL ORDER BY asked.dimension, asked.value, hour

-- name: dearest
-- Of the scopes of tenant $1 that came to $5 in one hour from $3 to $4, in currency $2, the $6 with the most money.
SELECT dimension, value, sum(effective) AS effective FROM (
    SELECT dimension, value, sum(effective) AS effective FROM scope_hours
    WHERE tenant = $1 AND currency = $2 AND bucket >= $3 AND bucket < $4 GROUP BY dimension, value, bucket
) AS hours
GROUP BY dimension, value HAVING max(effective) >= $5 ORDER BY sum(effective) DESC, dimension, value LIMIT $6

-- name: explained
-- What incidents of tenant $1 explain since $2 teaches nothing: of whom, what was told with it, from when to when, this
-- time and before; and what was planned.
SELECT scope, jsonb_path_query_array(details, '$.folded[*].scope') AS folded, b.began, b.ended
FROM incidents i CROSS JOIN LATERAL (
    SELECT i.began_at AS began, i.hot_at AS ended
    UNION ALL
    SELECT (e ->> 0)::timestamptz, (e ->> 1)::timestamptz FROM jsonb_path_query(i.details, '$.earlier.bursts[*]') e
) AS b
WHERE tenant = $1 AND kind IN ('anomaly', 'loop') AND hot_at >= $2 AND b.ended >= $2
UNION ALL
SELECT filter, '[]', starts_at, least(ends_at, cancelled_at) FROM planned_windows
WHERE tenant = $1 AND starts_at <= now() AND ends_at >= $2
    AND (cancelled_at IS NULL OR cancelled_at >= greatest($2, starts_at))

-- name: loops_over
-- Loops of tenant $1 that have ended since $2: people know of their money, and it is in the hour still.
SELECT * FROM incidents WHERE tenant = $1 AND kind = 'loop' AND resolved_at >= $2

-- name: planned_over
-- Whose spend was planned by tenant $1 within the hour $2, until a moment ago: nobody can tell that money from other.
SELECT filter FROM planned_windows
WHERE tenant = $1 AND starts_at < $2::timestamptz + interval '1 hour' AND least(ends_at, cancelled_at) > $2
    AND least(ends_at, cancelled_at) <= now()
