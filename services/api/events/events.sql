-- name: occurred_at
-- When the identity was booked as having happened: the first part of its entry's key.
SELECT find_occurred_at($1)

-- name: archived_month
-- In which archived month it was booked; null = in none.
SELECT archived_month($1)

-- name: true_up
-- Under which key a revision of a term's period was booked.
SELECT identity, occurred_at FROM true_ups WHERE term = $1 AND period_start = $2 AND revision = $3

-- name: known
-- Of these identities, those that were booked, or not booked with a reason.
SELECT i AS identity FROM unnest($1::bytea[]) AS i
WHERE find_occurred_at(i) IS NOT NULL OR EXISTS (SELECT FROM unbooked u WHERE u.identity = i)

-- name: entries
-- The booked event and its corrections, with why there are any. A reversal has no lines: it is minus the entry before
-- it.
SELECT e.occurred_at, e.recorded_at, e.origin_partition AS partition, e.origin_offset AS offset, e.catalog_version,
    e.accounting_period, e.seq, e.status, e.currency, e.list, e.contracted, e.effective, {stated_event} AS event,
    e.event IS NOT NULL AS states_event, coalesce(e.lines, '[]') AS lines, dimensions(s) AS series, e.correction_id,
    CASE WHEN c.kind IS NULL AND j.rerate_id IS NOT NULL THEN 'rerate' ELSE c.kind END AS cause_kind, coalesce(c.reason, j.reason) AS cause_reason,
    coalesce(c.author, j.author || CASE WHEN j.applied_by <> j.author THEN ', applied by ' || j.applied_by ELSE '' END)
        AS cause_author, coalesce(c.requested_at, j.requested_at) AS cause_at
FROM entries e JOIN series s USING (tenant, series_id) LEFT JOIN corrections c
        ON c.correction_id = e.correction_id AND c.tenant = e.tenant AND e.seq = ANY (c.seqs)
    LEFT JOIN rerate_jobs j ON j.rerate_id = e.correction_id AND j.tenant = e.tenant
WHERE e.recorded_on >= recorded_from($1) AND e.occurred_at = $1 AND e.identity = $2 ORDER BY e.seq

-- name: unbooked_copies
-- What became of the other submissions of the same identity.
SELECT outcome, reason, recorded_at, key_id, origin_partition AS partition, origin_offset AS offset, size,
    was_raised(u) AS amended
FROM unbooked u WHERE identity = $1 ORDER BY recorded_at DESC LIMIT $2

-- name: catalog_entries
-- The entries that decided prices, exactly as they were published; and by which publication each was withdrawn.
SELECT c.id, c.body, c.version, (
    SELECT min(w.version) FROM catalog_entries w
    WHERE w.type = 'spendmeter.catalog.withdrawal.v1' AND (w.body::jsonb -> 'entries') ? c.id
) AS withdrawn
FROM catalog_entries c WHERE c.id = ANY ($1::text[])

-- name: catalog_candidates
-- Of the book of version $1: entries of these types, sellers and skus; null = of any, '' = about no one sku.
WITH gone AS (
    SELECT jsonb_array_elements_text(body::jsonb -> 'entries') AS id FROM catalog_entries
    WHERE type = 'spendmeter.catalog.withdrawal.v1' AND version <= $1
)
SELECT body FROM catalog_entries
WHERE version <= $1 AND type = ANY ($2::text[]) AND ($3::text[] IS NULL OR provider = ANY ($3))
    AND ($4::text[] IS NULL OR sku = ANY ($4)) AND id NOT IN (SELECT id FROM gone)

-- name: list
-- Entries of [from, to), newest first, after ($4, $5, $6); $3 null = of every series, $8 = also those that no longer
-- count: with them or without, they add up to the same. $9: as the book stood at this moment; null = as it stands.
SELECT p.occurred_at AS time, p.recorded_at, p.identity, p.seq, p.catalog_version, p.accounting_period, p.status,
    p.currency, p.list, p.contracted, p.effective, p.about::json ->> 'source' AS source,
    p.about::json ->> 'id' AS id, dimensions(s) AS dimensions
FROM (
    SELECT e.*, {stated_event} AS about FROM entries e
    WHERE e.recorded_on >= recorded_from($1) AND e.occurred_at >= $1 AND e.occurred_at < $2
        AND ($3::bytea[] IS NULL OR e.series_id = ANY ($3))
        AND (e.occurred_at, e.identity, e.seq) < ($4, $5, $6)
        AND booked_by($9, e.origin_partition, e.origin_offset, e.recorded_at)
        AND ($8 OR (e.seq % 2 = 0 AND NOT EXISTS (
            SELECT FROM entries r
            WHERE r.recorded_on >= e.recorded_on AND r.occurred_at = e.occurred_at AND r.identity = e.identity
                AND r.seq = e.seq + 1 AND booked_by($9, r.origin_partition, r.origin_offset, r.recorded_at))))
    ORDER BY e.occurred_at DESC, e.identity DESC, e.seq DESC LIMIT $7
) AS p JOIN series s USING (tenant, series_id)
ORDER BY p.occurred_at DESC, p.identity DESC, p.seq DESC
