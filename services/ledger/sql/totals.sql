-- name: open_buckets
-- What may still change, $1 series of each tenant and minute: published anew when a worker takes partitions over.
SELECT tenant, encode(series_id, 'hex') AS series_id, bucket FROM (
    SELECT tenant, series_id, bucket, row_number() OVER (PARTITION BY tenant, bucket) AS place
    FROM rollups_minute WHERE bucket >= now() - interval '2 minutes'
    GROUP BY tenant, bucket, series_id
) AS open WHERE place <= $1

-- name: read_totals
-- What the rollups say now, summed over shards and days of recording. $4 and $5: the first and the last minute, so
-- that their days alone are opened.
SELECT r.tenant, encode(r.series_id, 'hex') AS series_id, r.bucket, r.currency,
    sum(r.version)::bigint AS version, sum(r.events)::bigint AS events,
    sum(r.unpriced_events)::bigint AS unpriced_events, sum(r.list)::text AS list,
    sum(r.contracted)::text AS contracted, sum(r.effective)::text AS effective,
    sum(r.of_which_provisional)::text AS of_which_provisional,
    (usage_total(r.usage) FILTER (WHERE r.usage IS NOT NULL))::text AS usage, {unit_sums}
FROM unnest($1::text[], $2::bytea[], $3::timestamptz[]) AS wanted (tenant, series_id, bucket)
JOIN rollups_minute r USING (tenant, series_id, bucket) WHERE r.bucket BETWEEN $4 AND $5
GROUP BY r.tenant, r.series_id, r.bucket, r.currency

-- name: read_series
-- The dimensions of series that this worker has not met.
SELECT tenant, encode(series_id, 'hex') AS series_id, dimensions(s)::text AS dimensions
FROM series s WHERE (tenant, series_id) IN (SELECT * FROM unnest($1::text[], $2::bytea[]))
