-- part: added
-- What is added, row by row: $2 and what follows, each an array as text (platform/arrays.py).
unnest($2::text::timestamptz[], $3::text::text[], $4::text::bytea[], $5::text::text[], $6::text::bigint[],
    $7::text::bigint[], $8::text::numeric[], $9::text::numeric[], $10::text::numeric[], $11::text::numeric[],
    $12::text::jsonb[], {unit_arrays})

-- name: add_to_minutes
-- To shard $1; each row once.
INSERT INTO rollups_minute AS r (bucket, recorded_on, shard, tenant, series_id, currency, events, unpriced_events, list,
    contracted, effective, of_which_provisional, usage, {units})
SELECT bucket, (now() AT TIME ZONE 'UTC')::date, $1, tenant, series_id, currency, events, unpriced_events,
    list, contracted, effective, of_which_provisional, usage, {units}
FROM {added} AS n (bucket, tenant, series_id, currency, events, unpriced_events, list, contracted, effective,
    of_which_provisional, usage, {units})
ORDER BY tenant, bucket, series_id, currency
ON CONFLICT (tenant, bucket, series_id, shard, recorded_on, currency) DO UPDATE SET
    version = r.version + 1, {sums_added}

-- name: add_to_larger
-- To buckets of the sizes $1, in the part that is never made of smaller ones: corrections alone do so.
INSERT INTO rollups AS r (tenant, size, bucket, series_id, part, currency, events, unpriced_events, list, contracted,
    effective, of_which_provisional, usage, {units})
SELECT tenant, size, bucket, series_id, -1, currency, sum(events)::bigint, sum(unpriced_events)::bigint,
    sum(list), sum(contracted), sum(effective), sum(of_which_provisional),
    nullif(usage_total(usage) FILTER (WHERE usage IS NOT NULL), '{}'), {unit_sums}
FROM unnest($1::text::text[]) WITH ORDINALITY AS s (size, place)
    JOIN {added} WITH ORDINALITY AS n (bucket, tenant, series_id, currency, events, unpriced_events, list, contracted,
        effective, of_which_provisional, usage, {units}, place) USING (place)
GROUP BY tenant, size, bucket, series_id, currency ORDER BY tenant, size, bucket, series_id, currency
ON CONFLICT (tenant, size, bucket, series_id, part, currency) DO UPDATE SET {sums_added}

-- name: count_corrections
-- What was read of these buckets before is read again.
INSERT INTO rolled AS c (tenant, day, part, generation)
SELECT DISTINCT tenant, (bucket AT TIME ZONE 'UTC')::date, -1, 1
FROM unnest($1::text::text[], $2::text::timestamptz[]) AS n (tenant, bucket)
ON CONFLICT (tenant, day, part) DO UPDATE SET generation = c.generation + 1

-- name: mark_scopes
-- What scopes came to in these hours is added up again: of buckets $2 of tenants $1, those whose size ($3) is an hour.
INSERT INTO scope_hours_due (tenant, bucket)
SELECT DISTINCT tenant, bucket FROM unnest($1::text::text[], $2::text::timestamptz[], $3::text::text[])
    AS n (tenant, bucket, size) WHERE size = 'hour'
