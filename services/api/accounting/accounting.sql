-- name: by_partition
-- Every partition's counters and log end: counts alone, of all tenants together.
SELECT partition, next_origin, booked, duplicate, conflict, rejected, holes, stray, log_end, read_at, stopped
FROM accounting_by_partition()

-- name: unfolded
-- Offsets of the book, of all tenants, that are not in the projections $1 yet: where one of them is not. By partition; not
-- is_open = of accounts that are closed.
SELECT partition, is_open, behind FROM behind_book($1) WHERE behind > 0

-- name: proved_until
-- Up to when the reconciler has proved all of the book.
SELECT held_until FROM proved_until

-- name: database
-- Which database this is: of which cluster, on which of its timelines, made when.
SELECT s.system_identifier, d.oid, CASE WHEN NOT pg_is_in_recovery()
    THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END AS timeline
FROM pg_control_system() AS s, pg_database AS d WHERE d.datname = current_database()

-- name: by_tenant
-- The same offsets by tenant; tenant '' = unattributable.
SELECT tenant, priced, free, reported, provisional, unpriced, duplicate, conflict, rejected, holes
FROM accounting_by_tenant()

-- name: own
-- What row-level security shows of the same.
SELECT tenant, sum(priced) AS priced, sum(free) AS free, sum(reported) AS reported,
    sum(provisional) AS provisional, sum(unpriced) AS unpriced, sum(duplicate) AS duplicate,
    sum(conflict) AS conflict, sum(rejected) AS rejected, sum(holes) AS holes
FROM accounting GROUP BY tenant

-- name: by_key
-- Whose events were not booked: of the tenant, or of all.
SELECT tenant, key_id, duplicate, conflict, rejected FROM accounting_by_key($1)

-- name: remarks
-- Money at prices that do not mention how it was served, by book currency: of the tenant, or of all.
SELECT currency, events, effective, batch_events, batch_effective, tier_events, tier_effective, region_events,
    region_effective
FROM remarks_money()
