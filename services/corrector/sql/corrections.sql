-- name: known
-- Corrections that have come before.
SELECT tenant, correction_id FROM corrections
    JOIN unnest($1::text[], $2::text[]) AS asked (tenant, correction_id) USING (tenant, correction_id)

-- name: named_as_jobs
-- Those that have the id of a re-rate: an entry says by one id what it is written for.
SELECT j.tenant, j.rerate_id FROM rerate_jobs j
    JOIN unnest($1::text[], $2::text[]) AS asked (tenant, id) ON asked.tenant = j.tenant AND asked.id = j.rerate_id

-- name: newest
-- The newest version of the catalog; null = nothing was ever published.
SELECT max(version) FROM catalog_publications

-- name: states
-- What the book says of events: as first booked, in force, and what corrections have left.
SELECT i.identity, i.hash, i.occurred_at, f.event AS first_event, f.tenant AS first_tenant,
    f.recorded_at AS first_recorded_at, e.recorded_at, e.seq, e.origin_partition,
    e.origin_offset, e.correction_id, e.tenant, e.series_id, e.catalog_version, e.accounting_period, e.status,
    e.currency, e.list, e.contracted, e.effective, e.event, e.lines, c.revision AS corrected_revision,
    c.amend_at AS corrected_amend_at, c.amend_id AS corrected_amend_id, c.amended_hash AS corrected_amended_hash,
    c.catalog_version AS corrected_catalog_version, c.retracted_at AS corrected_retracted_at,
    CASE WHEN c.revision IS NOT NULL THEN (
        SELECT r.patch FROM corrections r
        WHERE r.identity = i.identity AND r.kind = 'amend' AND r.revision < 0 AND r.state IN ('applied', 'duplicate')
    ) END AS raised_by,
    CASE WHEN c.revision >= 0 THEN (
        SELECT h.patch FROM corrections h WHERE h.correction_id = c.amend_id AND h.tenant = f.tenant
    ) END AS held
FROM identities i
    JOIN entries f ON f.recorded_on = i.recorded_on AND f.occurred_at = i.occurred_at AND f.identity = i.identity AND f.seq = 0
    LEFT JOIN LATERAL (
        SELECT * FROM entries_in_force n
        WHERE n.recorded_on >= i.recorded_on AND n.occurred_at = i.occurred_at AND n.identity = i.identity
    ) AS e ON true
    LEFT JOIN corrected_identities c ON c.identity = i.identity
WHERE i.identity = ANY ($1::bytea[])

-- name: archived
-- Which of these events were first recorded in a month that is archived, and in which.
SELECT i.identity, a.month FROM identities i JOIN archived_months a ON a.month = date_trunc('month', i.recorded_on)::date
WHERE i.identity = ANY ($1::bytea[]) AND a.month NOT IN (SELECT m FROM entries_months() AS m)

-- name: record
-- A correction, and what became of it; one that waited has come to an end.
INSERT INTO corrections AS c (correction_id, tenant, identity, source, event_id, kind, revision, patch, reason, author,
    requested_at, state, why, seqs, applied_at, log_ends)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
    CASE WHEN $12 = 'applied' THEN now() END, $15::bigint[])
ON CONFLICT (correction_id, tenant) DO UPDATE SET state = excluded.state, why = excluded.why, seqs = excluded.seqs,
    applied_at = excluded.applied_at, log_ends = excluded.log_ends
WHERE c.state = 'waiting'

-- name: remember
-- What corrections have made of an event, for the ledger to hold its copies against.
INSERT INTO corrected_identities (identity, revision, amend_at, amend_id, amended_hash, catalog_version, retracted_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (identity) DO UPDATE SET revision = excluded.revision, amend_at = excluded.amend_at, amend_id = excluded.amend_id,
    amended_hash = excluded.amended_hash, catalog_version = excluded.catalog_version,
    retracted_at = excluded.retracted_at

-- name: any_waiting
-- Whether a look is worth while.
SELECT EXISTS (SELECT FROM corrections WHERE state = 'waiting')

-- name: overdue
-- Waiting corrections whose partitions are all booked up to where they ended when the correction came.
SELECT c.tenant, c.correction_id FROM corrections c
WHERE c.state = 'waiting' AND NOT EXISTS (
    SELECT FROM unnest(c.log_ends) WITH ORDINALITY AS l (log_end, place)
        LEFT JOIN positions p ON p.partition = l.place - 1
    WHERE l.log_end > coalesce(p.next_origin, 0))
LIMIT $1

-- name: booked_meanwhile
-- Waiting corrections whose events are there by now, in the order in which they came: of each event the first, so
-- that no event's many keep those of others back.
SELECT * FROM (
    SELECT DISTINCT ON (c.identity) c.* FROM corrections c JOIN identities i USING (identity)
    WHERE c.state = 'waiting' ORDER BY c.identity, c.accepted_at, c.correction_id
) AS first_of_each ORDER BY accepted_at, correction_id LIMIT $1

-- name: later_messages
-- Conflicts that nobody has looked at, of each partition in their order; of each event the first.
SELECT * FROM (
    SELECT DISTINCT ON (identity) * FROM (
        SELECT origin_topic, origin_partition, origin_offset, identity, event FROM later_messages
        ORDER BY origin_partition, origin_offset LIMIT $1
    ) AS next ORDER BY identity, origin_partition, origin_offset
) AS first_of_each ORDER BY origin_partition, origin_offset

-- name: looked_at
-- The same are done with, whatever was made of them.
DELETE FROM later_messages WHERE (origin_topic, origin_partition, origin_offset)
    IN (SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[]))

-- name: give_up
-- Of corrections that were overdue before this statement: those of events that are not there even now.
UPDATE corrections c SET state = 'unknown', log_ends = NULL, why = 'no event with this source and id was booked, or 431 days ago'
WHERE (c.tenant, c.correction_id) IN (SELECT * FROM unnest($1::text[], $2::text[])) AND c.state = 'waiting'
    AND NOT EXISTS (SELECT FROM identities i WHERE i.identity = c.identity)

-- name: own_values
-- Of these values of tenants' own dimensions those that a series has; and whichever came first today, of the same
-- dimensions. What is folded is no value.
WITH asked AS MATERIALIZED (
    SELECT tenant, dimension, array_agg(value) AS wanted
    FROM unnest($1::text[], $2::text[], $3::text[]) AS n (tenant, dimension, value) GROUP BY tenant, dimension
)
SELECT a.tenant, a.dimension, s.own ->> a.dimension AS value,
    min(s.first_seen) >= date_trunc('day', now(), 'UTC') AS is_of_today
FROM asked a JOIN series s ON s.tenant = a.tenant AND s.own ? a.dimension AND s.own ->> a.dimension <> '~other'
GROUP BY a.tenant, a.dimension, a.wanted, s.own ->> a.dimension
HAVING s.own ->> a.dimension = ANY (a.wanted) OR min(s.first_seen) >= date_trunc('day', now(), 'UTC')
