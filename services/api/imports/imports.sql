-- part: columns
-- An import as it is answered. Of one that nobody has heard of for a minute the process is gone; it ends by being run again.
import_id, file_name AS file, is_complete AS complete, mapping, author, why, report, requested_at, ended_at,
    CASE WHEN state = 'running' AND seen_at < now() - interval '1 minute' THEN 'interrupted' ELSE state END AS state

-- name: begin
-- Nothing where one of the tenant's is under way.
INSERT INTO imports (tenant, import_id, file_name, is_complete, mapping, author, state)
SELECT $1, $2, $3, $4, $5, $6, 'running'
WHERE NOT EXISTS (
    SELECT FROM imports WHERE tenant = $1 AND state = 'running' AND seen_at >= now() - interval '1 minute'
)
RETURNING import_id

-- name: hold
-- Until the transaction's end nobody begins an import of this tenant.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1718580083))

-- name: report
-- How far it is. Nothing where another one has begun since: that happens where this one was held for gone.
UPDATE imports i SET report = $2, seen_at = now()
WHERE i.import_id = $1 AND i.state = 'running' AND NOT EXISTS (
    SELECT FROM imports n WHERE n.tenant = i.tenant AND n.requested_at > i.requested_at
)
RETURNING i.import_id

-- name: end
-- It is over.
UPDATE imports SET state = $2, why = $3, report = $4, seen_at = now(), ended_at = now() WHERE import_id = $1

-- name: import
SELECT {columns} FROM imports WHERE import_id = $1

-- name: imports
-- Newest first, after ($1, $2).
SELECT {columns} FROM imports WHERE (requested_at, import_id) < ($1, $2)
ORDER BY requested_at DESC, import_id DESC LIMIT $3

-- name: metered
-- Providers of which usage is metered: by keys that send no bills, an operator's neither. What accrues of a commitment is
-- bought and not metered ($1 is the key by which that comes), and what a period changes is of no use.
SELECT DISTINCT provider FROM series WHERE cost_class = 'model' AND key_id <> $1 AND key_id NOT IN (
    SELECT key_id FROM bill_keys()
) AND NOT (sku = 'true-up' AND key_id = '')

-- name: own_names
-- All dimensions of the tenant's own, and whether they are in use.
SELECT name, active FROM own_dimensions

-- name: known
-- What the book was told of these rows.
SELECT encode(row_id, 'hex') AS row_id, source, event_id, generation, revision, encode(hash, 'hex') AS hash, is_told,
    is_retracted
FROM billed_rows WHERE row_id = ANY ($1::bytea[])

-- name: amended
-- Of these events that were amended, the highest revision.
SELECT identity, max(revision) AS revision FROM corrections WHERE identity = ANY ($1::bytea[]) AND kind = 'amend'
GROUP BY identity

-- name: tell
-- What these are told is written down before anybody is told it.
INSERT INTO billed_rows AS b (tenant, row_id, snapshot, source, event_id, generation, revision, hash, is_told, import_id)
SELECT $1, t.row_id, t.snapshot, t.source, t.event_id, t.generation, t.revision, t.hash, false, $9
FROM unnest($2::bytea[], $3::bytea[], $4::text[], $5::text[], $6::int[], $7::int[], $8::bytea[])
    AS t (row_id, snapshot, source, event_id, generation, revision, hash)
ON CONFLICT (tenant, row_id) DO UPDATE SET event_id = excluded.event_id, generation = excluded.generation,
    revision = excluded.revision, hash = excluded.hash, is_told = false, is_retracted = false, import_id = excluded.import_id

-- name: met
-- These were in the file, and stay as they are.
UPDATE billed_rows SET import_id = $2 WHERE row_id = ANY ($1::bytea[])

-- name: told
-- The broker holds what is to be said of these.
UPDATE billed_rows SET is_told = true WHERE row_id = ANY ($1::bytea[])

-- name: refused
-- Ingest took nothing of these: they count no longer, and nobody is told so.
UPDATE billed_rows SET is_retracted = true WHERE row_id = ANY ($1::bytea[])

-- name: missing
-- Rows of these bills that this import has not met, in the order of their ids, after $3.
SELECT encode(row_id, 'hex') AS row_id, source, event_id, generation FROM billed_rows
WHERE snapshot = ANY ($1::bytea[]) AND NOT is_retracted AND import_id <> $2 AND row_id > $3
ORDER BY row_id LIMIT $4

-- name: there
-- How many rows of these bills count.
SELECT count(*) FROM billed_rows WHERE snapshot = ANY ($1::bytea[]) AND NOT is_retracted

-- name: retracted
-- The broker holds it that these count no longer.
UPDATE billed_rows SET is_retracted = true, is_told = true, import_id = $2 WHERE row_id = ANY ($1::bytea[])
