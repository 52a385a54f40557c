-- name: stage
-- Where COPY puts what is to be corrected: COPY itself may not write into a table with row-level security. What
-- replaces is null where nothing does.
CREATE TEMPORARY TABLE IF NOT EXISTS pairs (
    number bigint, occurred_at timestamptz, identity bytea, seq smallint, correction_id text, catalog_version int,
    series_id bytea, status text, currency text, list text, contracted text, effective text, event text, lines text
) ON COMMIT DELETE ROWS

-- name: insert_pairs
-- A reversal is its entry with the signs turned, as the book has it; a replacement has its entry's tenant. Both have its
-- month, or of one that is closed by now (of tenants $1 up to $2) the one that is open ($3). How many entries that makes.
WITH target AS MATERIALIZED (
    SELECT p.*, greatest(c.recorded_on, e.recorded_on, (SELECT first_open_day())) AS recorded_on,
        coalesce(shut.open, e.accounting_period) AS accounting_period, e.tenant, e.catalog_version AS old_version,
        e.series_id AS old_series, e.status AS old_status, e.currency AS old_currency, e.list AS old_list,
        e.contracted AS old_contracted, e.effective AS old_effective
    FROM corrector c CROSS JOIN pairs p CROSS JOIN LATERAL (
        SELECT * FROM entries e
        WHERE e.recorded_on >= recorded_from(p.occurred_at) AND e.occurred_at = p.occurred_at
            AND e.identity = p.identity AND e.seq = p.seq LIMIT 1
    ) AS e  -- by the key, one by one: Postgres knows nothing of what is staged, and may read all entries instead
    LEFT JOIN unnest($1::text[], $2::date[], $3::date[]) AS shut (tenant, until, open)
        ON shut.tenant = e.tenant AND e.accounting_period <= shut.until
), written AS (
    INSERT INTO entries (recorded_on, identity, occurred_at, seq, origin_partition, origin_offset, catalog_version,
        accounting_period, series_id, tenant, status, currency, list, contracted, effective, event, lines,
        correction_id)
    SELECT recorded_on, identity, occurred_at, seq + 1, -1, number, old_version, accounting_period, old_series, tenant,
        old_status, old_currency, -old_list, -old_contracted, -old_effective, NULL, NULL, correction_id
    FROM target
    UNION ALL
    SELECT recorded_on, identity, occurred_at, seq + 2, -1, number + 1, catalog_version, accounting_period, series_id,
        tenant, status, currency, list::numeric, contracted::numeric, effective::numeric, event, lines, correction_id
    FROM target WHERE status IS NOT NULL
    RETURNING 1
)
SELECT count(*) FROM written
