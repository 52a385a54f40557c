-- name: stage
-- Where COPY puts a batch: COPY itself may not write into a table with row-level security.
CREATE TEMPORARY TABLE IF NOT EXISTS stage (
    identity bytea, hash bytea, occurred_at timestamptz, origin_offset bigint, catalog_version int,
    accounting_period date, tenant text, series_id bytea, status text, currency text, list text,
    contracted text, effective text, event text, lines text
) ON COMMIT DELETE ROWS

-- name: first_start
-- The partition's row, made once: the book begins at the beginning of both logs.
INSERT INTO positions (partition, rated_topic, origin_topic) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: progress
-- How far the partition has been applied.
SELECT partition, rated_topic, position, origin_topic, next_origin FROM positions WHERE partition = $1

-- name: hold_position
-- No row: somebody else has applied what we are about to. A row: it is ours until COMMIT, and the day (UTC) on which all
-- of this is recorded: today, and never before the last, nor on a day that is being closed (the staged rows have made this
-- transaction known to who closes).
SELECT greatest(recorded_on, (now() AT TIME ZONE 'UTC')::date, first_open_day()) FROM positions
WHERE partition = $1 AND position = $2 AND rated_topic = $3 FOR UPDATE

-- name: claim_identities
-- In the order of the key, so that two lanes never wait for each other in a circle. Claimed on the day of the entry, which no
-- clock takes back: what a clock claims years ago would be forgotten at once, and its copy booked again.
INSERT INTO identities (identity, occurred_at, hash, origin_partition, origin_offset, recorded_on, claimed_on)
SELECT s.identity, s.occurred_at, s.hash, $1, s.origin_offset, d.recorded_on, d.recorded_on
FROM stage s CROSS JOIN LATERAL (SELECT greatest($2, recorded_from(s.occurred_at)) AS recorded_on) AS d ORDER BY s.identity
ON CONFLICT (identity) DO NOTHING
RETURNING identity

-- name: known_identities
-- A statement of its own: what another lane committed a moment ago was invisible to the one before. What corrections
-- have made of these events, too: the last amend's hash, and when it was retracted.
SELECT i.identity, i.hash, c.amended_hash, c.retracted_at
FROM identities i LEFT JOIN corrected_identities c USING (identity) WHERE i.identity = ANY($1::bytea[])

-- name: move_periods
-- What is booked late for periods that are closed goes into the one that is open.
UPDATE stage SET accounting_period = moved.period
FROM unnest($1::bytea[], $2::date[]) AS moved (identity, period) WHERE stage.identity = moved.identity

-- name: insert_entries
-- Only what was claimed above; $2 = the identities that were known already. An event by an older catalog than the
-- newest publication, or in another currency than its tenant's terms ($4 where it has stated none), is booked as
-- it is, and listed: whoever re-rates must see it, and sees here what he cannot see yet (hold_position came first). The
-- month is rating's; where an older record does not say it, that of the tenant's zone ($3 = of none stated).
WITH late AS (
    INSERT INTO late_rated (identity, occurred_at, catalog_version, tenant, origin_partition, origin_offset,
        other_currency)
    SELECT s.identity, s.occurred_at, s.catalog_version, s.tenant, $1, s.origin_offset,
        s.currency <> coalesce(t.currency, $4)
    FROM stage s LEFT JOIN tenant_terms t
        ON t.tenant = s.tenant AND t.effective_from <= s.occurred_at AND t.effective_to > s.occurred_at
    WHERE (s.currency <> coalesce(t.currency, $4)
            OR s.catalog_version < (SELECT max(version) FROM catalog_publications))
        AND s.identity <> ALL ($2::bytea[])
    RETURNING other_currency
), booked AS (
    INSERT INTO entries (recorded_on, identity, occurred_at, origin_partition, origin_offset, catalog_version,
        accounting_period, series_id, tenant, status, currency, list, contracted, effective, event, lines)
    SELECT greatest($5, recorded_from(s.occurred_at)), s.identity, s.occurred_at, $1, s.origin_offset, s.catalog_version,
        coalesce(s.accounting_period,
            date_trunc('month', s.occurred_at AT TIME ZONE coalesce(t.zone, $3))::date),
        s.series_id, s.tenant, s.status, s.currency, s.list::numeric, s.contracted::numeric, s.effective::numeric,
        s.event, s.lines
    FROM stage s LEFT JOIN tenant_terms t
        ON t.tenant = s.tenant AND t.effective_from <= s.occurred_at AND t.effective_to > s.occurred_at
    WHERE s.identity <> ALL ($2::bytea[])
    ORDER BY s.occurred_at, s.identity
)
SELECT count(*) FROM late WHERE other_currency

-- name: touch
-- Which larger buckets these rollups are part of: they are made again (roller.py). series null = any.
INSERT INTO touched (tenant, size, bucket, series_id)
SELECT tenant, 'five_minutes', bucket, series_id FROM unnest($1::text[], $2::timestamptz[], $3::bytea[])
    AS n (tenant, bucket, series_id)

-- name: insert_unbooked
-- Every offset that was not booked, by where it came from.
INSERT INTO unbooked (origin_topic, origin_partition, origin_offset, outcome, tenant, key_id, identity, source,
    event_id, reason, size, sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)

-- name: insert_later
-- Conflicts as they were sent: the corrector looks whether they say more of the same use.
INSERT INTO later_messages (origin_topic, origin_partition, origin_offset, tenant, identity, event)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::bytea[], $6::text[])

-- name: booked_events
-- What is booked under these identities, as it was sent.
SELECT identity, event FROM identities JOIN entries USING (identity, occurred_at, recorded_on)
WHERE identity = ANY ($1::bytea[]) AND seq = 0

-- name: insert_supersessions
-- Of what was claimed: whose place it takes.
INSERT INTO supersessions (tenant, superseded, identity, source, event_id)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::text[], $5::text[])

-- name: add_to_accounting_keys
-- Whose events were not booked: the sender is not told otherwise.
INSERT INTO accounting_keys AS a (partition, tenant, key_id, duplicate, conflict, rejected)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (partition, tenant, key_id) DO UPDATE SET duplicate = a.duplicate + excluded.duplicate,
    conflict = a.conflict + excluded.conflict, rejected = a.rejected + excluded.rejected

-- name: add_to_accounting
-- The accounting identity, by tenant.
INSERT INTO accounting AS a (partition, tenant, priced, free, reported, provisional, unpriced, duplicate,
    conflict, rejected, holes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (partition, tenant) DO UPDATE SET
    priced = a.priced + excluded.priced, free = a.free + excluded.free,
    reported = a.reported + excluded.reported, provisional = a.provisional + excluded.provisional,
    unpriced = a.unpriced + excluded.unpriced, duplicate = a.duplicate + excluded.duplicate,
    conflict = a.conflict + excluded.conflict, rejected = a.rejected + excluded.rejected,
    holes = a.holes + excluded.holes

-- name: move_position
-- The other half of hold_position: the row is locked, so exactly one row moves, or the transaction is undone. Who does not
-- count its bookings is of an older release, and is refused.
UPDATE positions SET position = $3, next_origin = $4, bookings = bookings + 1, booked = booked + $5, duplicate = duplicate + $6,
    conflict = conflict + $7, rejected = rejected + $8, holes = holes + $9, stray = stray + $10, recorded_on = $11
WHERE partition = $1 AND position = $2
