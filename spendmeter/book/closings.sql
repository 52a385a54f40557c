-- name: shut
-- Of those tenants $1 that ever closed a period, the last one in which nothing is booked any more; null = all were reopened.
SELECT tenant, max(period) FILTER (WHERE reopened_at IS NULL) AS period FROM period_closings
WHERE tenant = ANY ($1::text[]) GROUP BY tenant

-- name: carry
-- What one booking of partition $1, behind which its next offset is $2, put into other periods than those of its days.
INSERT INTO carried (partition, next_offset, tenant, accounting_period, bucket, series_id, currency, events,
    unpriced_events, list, contracted, effective, of_which_provisional, corrected, usage)
SELECT $1, $2, n.* FROM unnest($3::text[], $4::date[], $5::timestamptz[], $6::bytea[], $7::text[], $8::bigint[],
    $9::bigint[], $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[], $14::numeric[], $15::jsonb[]) AS n
