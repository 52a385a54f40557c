-- name: hours
-- In which hours each key of tenant $1 sent, as numbers of hours from $5, the one that runs: of the pieces $2 to $4 of its time, of series
-- with the values $6. With what it spent in currency $7, its largest series, and when it was first booked. Keys of $8 bill
-- or accrue. The $9 dearest.
-- Each series is one row before it is joined: the planner does not know how many there are.
WITH active AS MATERIALIZED (
    SELECT series_id, coalesce(sum(effective) FILTER (WHERE currency = $7), 0) AS effective,
        array_agg(DISTINCT floor(extract(epoch FROM bucket - $5::timestamptz) / 3600)::int) AS hours
    FROM spent($1, $2, $3, $4) WHERE events > 0 GROUP BY series_id
), within AS MATERIALIZED (
    SELECT key_id, series_id, effective, hours FROM active JOIN series s USING (series_id)
    WHERE s.tenant = $1 AND key_id <> '' AND key_id <> ALL ($8::text[]) AND ($6::jsonb = '{}' OR dimensions(s) @> $6)
), dearest AS MATERIALIZED (
    SELECT key_id, sum(effective) AS amount, (array_agg(series_id ORDER BY effective DESC, series_id))[1] AS leader
    FROM within GROUP BY key_id ORDER BY amount DESC, key_id LIMIT $9
), heard AS MATERIALIZED (
    SELECT key_id, array_agg(DISTINCT hour ORDER BY hour) AS hours FROM within CROSS JOIN unnest(hours) AS hour
    GROUP BY key_id
), met AS MATERIALIZED (
    SELECT key_id, min(first_seen) AS first_seen FROM series WHERE tenant = $1 GROUP BY key_id
)
SELECT key_id, hours, amount, leader, first_seen FROM dearest JOIN heard USING (key_id) JOIN met USING (key_id)

-- name: newest_hours
-- In which hours keys $7 of tenant $1 sent, as numbers of hours from $5, the one that runs: of the pieces $2 to $4 of its time, of series
-- with the values $6.
WITH active AS MATERIALIZED (
    SELECT series_id, array_agg(DISTINCT floor(extract(epoch FROM bucket - $5::timestamptz) / 3600)::int) AS hours
    FROM spent($1, $2, $3, $4) WHERE events > 0 GROUP BY series_id
)
SELECT key_id, array_agg(DISTINCT hour ORDER BY hour) AS hours
FROM active JOIN series s USING (series_id) CROSS JOIN unnest(hours) AS hour
WHERE s.tenant = $1 AND key_id = ANY ($7::text[]) AND ($6::jsonb = '{}' OR dimensions(s) @> $6)
GROUP BY key_id

-- name: heard
-- The newest minute of [$2, $3] in which each key of tenant $1 sent, of series with the values $4.
WITH newest AS MATERIALIZED (
    SELECT series_id, max(bucket) AS minute FROM rollups_minute
    WHERE tenant = $1 AND bucket >= $2 AND bucket <= $3 AND events > 0 GROUP BY series_id
)
SELECT key_id, max(minute) AS minute FROM newest JOIN series s USING (series_id)
WHERE s.tenant = $1 AND key_id <> '' AND ($4::jsonb = '{}' OR dimensions(s) @> $4) GROUP BY key_id

-- name: near
-- The minutes of the stretches ($2, $3) in which keys $4 of tenant $1 sent, of series with the values $5.
SELECT key_id, array_agg(DISTINCT bucket ORDER BY bucket) AS minutes
FROM unnest($2::timestamptz[], $3::timestamptz[]) AS stretch (since, until)
    JOIN rollups_minute r ON r.tenant = $1 AND r.bucket >= stretch.since AND r.bucket < stretch.until AND r.events > 0
    JOIN series s ON s.tenant = $1 AND s.series_id = r.series_id
WHERE s.key_id = ANY ($4::text[]) AND ($5::jsonb = '{}' OR dimensions(s) @> $5)
GROUP BY key_id

-- name: gone
-- Which of keys $2 open nothing any more.
SELECT key_id FROM keys_gone($1, $2)

-- name: first_recorded
-- When what tenant $1 sent with key $2 in minute $3 was first booked.
SELECT first_recorded($1, $2, $3)

-- name: catalog_renewed
-- When the prices that tenant $1 is priced by were last renewed.
SELECT priced_at, pulled_at, failed_at, says, scheduled FROM catalog_renewed($1)

-- name: dimensions
-- The dimensions of some series.
SELECT series_id, dimensions(s) AS dimensions FROM series s WHERE tenant = $1 AND series_id = ANY ($2)
