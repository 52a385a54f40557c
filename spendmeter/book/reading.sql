-- name: hold_minutes
-- Dropping minutes waits for it, and nothing else does. A statement that reads takes its snapshot before it waits for
-- those who drop; this one takes none.
LOCK TABLE ONLY rollups_minute IN ACCESS SHARE MODE

-- name: standing
-- The buckets of $1 that may not be believed in [$2, $3), nor what they are part of: those of days that begin before.
-- And, without a size, since when minutes are there, once some were dropped.
SELECT DISTINCT size, bucket FROM touched
WHERE tenant = $1 AND bucket >= $2::timestamptz - interval '2 days' AND bucket < $3
UNION ALL
SELECT NULL, since FROM minutes_kept

-- name: rolled
-- How often rollups above the minute of tenant $1 have changed that begin on these days (UTC).
SELECT day, sum(generation)::bigint AS generation FROM rolled WHERE tenant = $1 AND day BETWEEN $2 AND $3 GROUP BY day

-- name: minute_versions
-- How often what tenant $1 spent in each of the minutes $2 has changed: rows are never taken away but with their day,
-- and none changes without its version. They lie in order, and the first and last are said apart: then the plan opens
-- the days between them alone.
SELECT bucket AS minute, sum(version)::bigint AS version FROM rollups_minute
WHERE tenant = $1 AND bucket = ANY ($2::timestamptz[]) AND bucket >= ($2)[1] AND bucket <= ($2)[cardinality($2)]
GROUP BY bucket
