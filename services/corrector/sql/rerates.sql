-- name: request
-- A job as it was asked for; one that comes again changes nothing. Each tenant has ids of its own.
INSERT INTO rerate_jobs (tenant, rerate_id, selection, version, reason, author, requested_at, state, why, applied_by,
    apply_asked_at)
VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING rerate_id

-- name: is_published
-- Whether the catalog has a version.
SELECT EXISTS (SELECT FROM catalog_publications WHERE version = $1)

-- name: is_correction
-- Whether the tenant has a correction of this id: an entry says by one id what it is written for.
SELECT EXISTS (SELECT FROM corrections WHERE tenant = $1 AND correction_id = $2)

-- name: version_of
-- At which version a job prices.
SELECT version FROM rerate_jobs WHERE tenant = $1 AND rerate_id = $2

-- name: newest_applied
-- The newest version of which a job has begun to apply for a tenant.
SELECT max(j.version) FROM rerate_jobs j JOIN rerate_passes p USING (tenant, rerate_id)
WHERE j.tenant = $1 AND p.phase = 'applied'

-- name: ask_to_apply
-- A job that has shown its difference goes on to apply it; one that is still at it does so after.
UPDATE rerate_jobs SET applied_by = $3, apply_asked_at = $4,
    state = CASE state WHEN 'previewed' THEN 'applying' ELSE state END
WHERE tenant = $1 AND rerate_id = $2 AND state IN ('previewing', 'previewed') AND applied_by IS NULL
RETURNING state

-- name: cancel
-- What is applied by then stays: another job goes on where this one stopped.
UPDATE rerate_jobs SET state = 'cancelled', why = '', cancelled_by = $3, cancelled_at = $4
WHERE tenant = $1 AND rerate_id = $2 AND state IN ('previewing', 'previewed', 'applying')

-- part: reach
-- What the book has of the tenant now, within the time that is selected. It reaches past now: an event may be ahead of
-- it. Whatever is selected, the bounds stay where the book may have something.
(SELECT least(now() + interval '2 hours', greatest((j.selection ->> 'since')::timestamptz,
        coalesce(least((SELECT min(bucket) FROM rollups_minute r WHERE r.tenant = j.tenant),
            (SELECT min(bucket) FROM rollups r WHERE r.tenant = j.tenant AND r.size = 'day')), now()))) AS since,
    least(now() + interval '2 hours', (j.selection ->> 'until')::timestamptz) AS until) AS reach

-- name: begin_pass
-- Over what the book has now. A dry run notes where it stands.
INSERT INTO rerate_passes (tenant, rerate_id, phase, since, until, about, booked_to, corrected_to)
SELECT j.tenant, j.rerate_id, $3, reach.since, greatest(reach.since, reach.until), 0,
    CASE WHEN $3 = 'preview' THEN ARRAY(
        SELECT coalesce(p.next_origin, 0)
        FROM generate_series(0, (SELECT max(partition) FROM positions)) AS n LEFT JOIN positions p ON p.partition = n
        ORDER BY n
    ) END,
    CASE WHEN $3 = 'preview' THEN (SELECT next_entry FROM corrector) END
FROM rerate_jobs j CROSS JOIN LATERAL {reach} WHERE j.tenant = $1 AND j.rerate_id = $2

-- name: running
-- The next $1 jobs at work, in the order of their turns: of the tenant who has waited longest the one that has. A
-- tenant's are applied in the order of their versions.
SELECT j.rerate_id, j.tenant, j.selection::text AS selection, j.version, j.state, p.phase, p.since, p.until,
    p.cursor_at, p.cursor_identity, p.swept, p.barrier::text AS barrier, p.log_ends, d.booked_to, d.corrected_to
FROM rerate_jobs j
    JOIN rerate_passes p ON p.tenant = j.tenant AND p.rerate_id = j.rerate_id
        AND p.phase = CASE j.state WHEN 'previewing' THEN 'preview' ELSE 'applied' END
    JOIN rerate_passes d ON d.tenant = j.tenant AND d.rerate_id = j.rerate_id AND d.phase = 'preview'
WHERE j.state = 'previewing' OR (j.state = 'applying' AND NOT EXISTS (
    SELECT FROM rerate_jobs o JOIN rerate_passes op
        ON op.tenant = o.tenant AND op.rerate_id = o.rerate_id AND op.phase = 'applied'
    WHERE o.tenant = j.tenant AND o.state = 'applying' AND o.version < j.version AND NOT op.swept
))
ORDER BY max(p.worked_at) OVER (PARTITION BY j.tenant), p.worked_at, j.rerate_id LIMIT $1

-- name: series
-- The next $3 series of a tenant after $2.
SELECT series_id, provider, sku FROM series WHERE tenant = $1 AND series_id > $2 ORDER BY series_id LIMIT $3

-- name: spenders
-- Whose spend these series of a tenant are.
SELECT series_id, team, provider, sku FROM series WHERE tenant = $1 AND series_id = ANY ($2::bytea[])

-- name: set_about
-- How many events the pass will see, as the rollups say; 0 = not known.
UPDATE rerate_passes SET about = $4 WHERE tenant = $1 AND rerate_id = $2 AND phase = $3

-- name: events_of
-- How many events of these series ($5, null = all) the rollups name. See spendmeter/book.
SELECT coalesce(sum(events), 0)::bigint FROM spent($1, $2, $3, $4)
WHERE $5::bytea[] IS NULL OR series_id = ANY ($5)

-- name: minutes
-- The next minutes in which the selected series have events, until when these last, and how many. Where minutes are
-- dropped, hours; some of what is late has both.
SELECT bucket, until, sum(events)::bigint AS events FROM (
    SELECT bucket, bucket + interval '1 minute' AS until, series_id, events, unpriced_events, of_which_provisional
    FROM rollups_minute WHERE tenant = $1 AND bucket >= $2 AND bucket < $3
    UNION ALL
    SELECT bucket, bucket + interval '1 hour', series_id, events, unpriced_events, of_which_provisional
    FROM rollups
    WHERE tenant = $1 AND size = 'hour' AND bucket > $2::timestamptz - interval '1 hour' AND bucket < $3
        AND bucket < (SELECT max(since) FROM minutes_kept)
) AS named
WHERE ($4::bytea[] IS NULL OR series_id = ANY ($4))
    AND (NOT $5 OR unpriced_events <> 0 OR of_which_provisional <> 0)
GROUP BY bucket, until ORDER BY bucket, until LIMIT $6

-- part: columns
-- Of an entry in force, all that a new price is worked out from.
e.occurred_at, e.identity, e.recorded_at, e.seq, e.origin_partition, e.origin_offset, e.correction_id, e.tenant,
    e.series_id, e.catalog_version, e.accounting_period, e.status, e.currency,
    e.list, e.contracted, e.effective, e.event, e.lines, CASE WHEN e.seq = 0 THEN e.recorded_at ELSE (
        SELECT f.recorded_at FROM entries f
        WHERE f.recorded_on BETWEEN recorded_from(e.occurred_at) AND e.recorded_on
            AND f.occurred_at = e.occurred_at AND f.identity = e.identity AND f.seq = 0
    ) END AS first_recorded_at

-- part: amended_by_later
-- Whether an amend was priced by a later version than $3, though it may have left no entry.
SELECT FROM corrected_identities c WHERE c.identity = e.identity AND c.catalog_version > $3

-- name: entries
-- The entries in force of these stretches of time ($4, $5) after the cursor ($6, $7), in the order of their key: at most
-- $8, and fewer where they are large: none after the first $9 bytes.
SELECT {columns}
FROM (
    SELECT *, sum(octet_length(event) + octet_length(lines)) OVER (
        ORDER BY occurred_at, identity ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM (
        SELECT e.* FROM unnest($4::timestamptz[], $5::timestamptz[]) AS stretch (since, until) CROSS JOIN LATERAL (
            SELECT * FROM entries_in_force e
            WHERE recorded_on >= recorded_from(greatest(stretch.since, $6))
                AND occurred_at >= greatest(stretch.since, $6) AND occurred_at < stretch.until
                AND (occurred_at, identity) > ($6, $7)
                AND tenant = $1 AND ($2::bytea[] IS NULL OR series_id = ANY ($2)) AND NOT EXISTS ({amended_by_later})
            ORDER BY occurred_at, identity LIMIT $8
        ) AS e
        ORDER BY e.occurred_at, e.identity LIMIT $8
    ) AS next
) AS e
WHERE coalesce(bytes_before, 0) < $9
ORDER BY e.occurred_at, e.identity

-- name: facts
-- When these entries of the catalog came, and when they were withdrawn, up to a version.
SELECT c.id, c.version, (
    SELECT min(w.version) FROM catalog_entries w
    WHERE w.type = 'spendmeter.catalog.withdrawal.v1' AND w.version <= $2 AND (w.body::jsonb -> 'entries') ? c.id
) AS withdrawn
FROM catalog_entries c WHERE c.id = ANY ($1::text[])

-- name: go_on
-- From the cursor that was read to the next one. No row: somebody else did, or the job was cancelled.
UPDATE rerate_passes p SET cursor_at = $6, cursor_identity = $7, swept = $8, seen = seen + $9, changed = changed + $10,
    left_alone = left_alone + $11, elsewhere = elsewhere + $12, since_dry_run = since_dry_run + $13,
    since_dry_run_changed = since_dry_run_changed + $14, worked_at = now()
FROM rerate_jobs j
WHERE p.tenant = $1 AND p.rerate_id = $2 AND p.phase = $3
    AND (p.cursor_at, p.cursor_identity) IS NOT DISTINCT FROM ($4, $5)
    AND j.tenant = p.tenant AND j.rerate_id = p.rerate_id
    AND j.state = CASE p.phase WHEN 'preview' THEN 'previewing' ELSE 'applying' END

-- name: add_late
-- What was booked behind the cursor of a job that is applying, or applied.
UPDATE rerate_passes SET late = late + $3, changed = changed + $3, left_alone = left_alone + $4,
    since_dry_run = since_dry_run + $5, since_dry_run_changed = since_dry_run_changed + $5, worked_at = now()
WHERE tenant = $1 AND rerate_id = $2 AND phase = 'applied'

-- name: add_differences
-- By whose they are, and why.
INSERT INTO rerate_differences AS d (tenant, rerate_id, phase, team, provider, sku, currency, cause, events,
    list_before, list_after, contracted_before, contracted_after, effective_before, effective_after)
SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
    $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[], $14::numeric[], $15::numeric[])
ON CONFLICT (tenant, rerate_id, phase, team, provider, sku, currency, cause) DO UPDATE SET
    events = d.events + excluded.events,
    list_before = d.list_before + excluded.list_before,
    list_after = d.list_after + excluded.list_after,
    contracted_before = d.contracted_before + excluded.contracted_before,
    contracted_after = d.contracted_after + excluded.contracted_after,
    effective_before = d.effective_before + excluded.effective_before,
    effective_after = d.effective_after + excluded.effective_after

-- name: leave
-- An entry that stays; of a job the first $9 are listed.
INSERT INTO rerate_left (tenant, rerate_id, phase, occurred_at, identity, source, event_id, reason)
SELECT $1, $2, $3, $4, $5, $6, $7, $8
WHERE (SELECT count(*) FROM rerate_left WHERE tenant = $1 AND rerate_id = $2 AND phase = $3) < $9
ON CONFLICT DO NOTHING

-- name: end_pass
-- The dry run has seen everything, and is applied where that was asked for; or all is applied. The state after it.
WITH ended AS (
    UPDATE rerate_jobs SET why = '', state = CASE WHEN $3 = 'applied' THEN 'applied'
        WHEN applied_by IS NOT NULL THEN 'applying' ELSE 'previewed' END
    WHERE tenant = $1 AND rerate_id = $2 AND state = $4 RETURNING tenant, rerate_id, state
)
UPDATE rerate_passes p SET ended_at = now(), worked_at = now() FROM ended
WHERE (p.tenant, p.rerate_id) = (ended.tenant, ended.rerate_id) AND p.phase = $3 RETURNING ended.state

-- name: wait
-- It waits, for what $4 says, and others have their turn.
WITH said AS (
    UPDATE rerate_jobs SET why = $4
    WHERE tenant = $1 AND rerate_id = $2 AND why <> $4 AND state IN ('previewing', 'applying')
)
UPDATE rerate_passes SET worked_at = now() WHERE tenant = $1 AND rerate_id = $2 AND phase = $3

-- name: refuse
-- A job that cannot be done.
UPDATE rerate_jobs SET state = 'refused', why = $3
WHERE tenant = $1 AND rerate_id = $2 AND state IN ('previewing', 'applying')

-- name: set_barrier
-- A transaction of its own, after the one that says that the job is applied: whoever began to book before it may
-- not know the job's version.
UPDATE rerate_passes SET barrier = pg_snapshot_xmax(pg_current_snapshot())
WHERE tenant = $1 AND rerate_id = $2 AND phase = 'applied' AND barrier IS NULL

-- name: passed_barrier
-- Whether all who might not know it have committed, or have not and never will.
SELECT pg_snapshot_xmin(pg_current_snapshot()) >= barrier FROM rerate_passes
WHERE tenant = $1 AND rerate_id = $2 AND phase = 'applied'

-- name: set_log_ends
-- Where each partition ended after the barrier, which is waited for no more; and what was booked up to it may lie before
-- all that the book had.
WITH gone_on AS (
    UPDATE rerate_jobs SET why = '' WHERE tenant = $1 AND rerate_id = $2 AND state = 'applying' AND why <> ''
)
UPDATE rerate_passes p SET log_ends = $3, since = reach.since, until = greatest(reach.since, reach.until)
FROM rerate_jobs j CROSS JOIN LATERAL {reach}
WHERE (j.tenant, j.rerate_id) = ($1, $2) AND (p.tenant, p.rerate_id) = ($1, $2) AND p.phase = 'applied'
    AND p.log_ends IS NULL

-- name: waits_for
-- The first partition that has not come to where it ended then, or whose late ones are not all looked at: where it is,
-- and where it ended.
SELECT (e.number - 1)::int AS partition, coalesce(p.next_origin, 0) AS booked, e.log_end
FROM unnest($1::bigint[]) WITH ORDINALITY AS e (log_end, number)
    LEFT JOIN positions p ON p.partition = e.number - 1 LEFT JOIN late_marks m ON m.partition = e.number - 1
WHERE coalesce(p.next_origin, 0) < e.log_end OR EXISTS (
    SELECT FROM late_rated l WHERE l.origin_partition = e.number - 1 AND l.origin_offset < e.log_end
        AND l.origin_offset >= coalesce(m.next_offset, 0)
)
ORDER BY 1 LIMIT 1

-- part: late_from
-- From which offset of a position's partition on nobody has looked at what was booked late.
SELECT p.partition, least(coalesce(m.next_offset, 0), p.next_origin) AS since
    FROM positions p LEFT JOIN late_marks m USING (partition)

-- name: late
-- What was booked late and nobody has looked at, of each partition in the order of its commits. Partitions that have
-- some share $1 rows, and their entries $2 bytes, by turns: none comes after these.
WITH behind AS (
    SELECT * FROM ({late_from}) AS f
    WHERE EXISTS (SELECT FROM late_rated WHERE origin_partition = f.partition AND origin_offset >= f.since)
), next AS (
    SELECT l.*, row_number() OVER (PARTITION BY b.partition ORDER BY l.origin_offset) AS turn
    FROM behind b CROSS JOIN LATERAL (
        SELECT * FROM late_rated WHERE origin_partition = b.partition AND origin_offset >= b.since
        ORDER BY origin_offset LIMIT (SELECT ceil($1::numeric / count(*))::bigint FROM behind)
    ) AS l
)
SELECT identity, occurred_at, catalog_version, tenant, origin_partition, origin_offset
FROM (
    SELECT n.*, sum(e.bytes) OVER (
        ORDER BY turn, origin_partition ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
    FROM next n LEFT JOIN LATERAL (
        SELECT octet_length(event) + octet_length(lines) AS bytes FROM entries_in_force
        WHERE recorded_on >= recorded_from(n.occurred_at) AND occurred_at = n.occurred_at AND identity = n.identity
    ) AS e ON true
) AS in_turn
WHERE coalesce(bytes_before, 0) < $2
ORDER BY turn, origin_partition

-- name: jobs_of_late
-- The jobs that may concern them, the lowest version first.
SELECT j.rerate_id, j.tenant, j.selection::text AS selection, j.version, d.booked_to, d.corrected_to
FROM rerate_jobs j JOIN rerate_passes d USING (tenant, rerate_id)
WHERE j.tenant = ANY ($1::text[]) AND j.version > $2 AND j.state IN ('applying', 'applied') AND d.phase = 'preview'
ORDER BY j.version, j.rerate_id

-- name: late_entries
-- The entries in force of some events.
SELECT {columns}
FROM unnest($2::bytea[], $4::timestamptz[]) AS l (identity, occurred_at)
    JOIN entries_in_force e USING (occurred_at, identity)
WHERE e.recorded_on >= recorded_from(l.occurred_at) AND e.tenant = $1 AND NOT EXISTS ({amended_by_later})

-- name: mark_late
-- They were looked at.
INSERT INTO late_marks AS m (partition, next_offset)
SELECT * FROM unnest($1::int[], $2::bigint[])
ON CONFLICT (partition) DO UPDATE SET next_offset = excluded.next_offset
