-- name: publication
-- The newest publication, which the topic must end with.
SELECT version, entries, published_at, note FROM catalog_published()

-- name: entries
-- Every entry after a publication and up to another, as it goes to the topic.
SELECT id, body, version FROM catalog_to_publish($1) WHERE version <= $2

-- name: models
-- Skus after ($2, $3) whose name, or an alias of theirs, holds $1.
SELECT DISTINCT provider, sku FROM catalog_entries
WHERE sku <> '' AND (provider, sku) > ($2, $3) AND ($4 = '' OR provider = $4)
    AND (strpos(provider || '/' || sku, $1) > 0
        OR (type = 'spendmeter.catalog.model.v1' AND EXISTS (
            SELECT FROM jsonb_each(body::jsonb) AS stated (field, names), jsonb_array_elements_text(names) AS name
            WHERE field IN ('aliases', 'match') AND strpos(lower(name), $1) > 0)))
ORDER BY 1, 2 LIMIT $5

-- name: history
-- Everything that was ever recorded of these skus, and what became of it.
WITH gone AS (
    SELECT DISTINCT ON (named.id) named.id, w.version, w.recorded_at, w.recorded_by, w.body
    FROM catalog_entries w, jsonb_array_elements_text(w.body::jsonb -> 'entries') AS named (id)
    WHERE w.type = 'spendmeter.catalog.withdrawal.v1' ORDER BY named.id, w.version
)
SELECT e.provider, e.sku, e.version, e.recorded_at, e.recorded_by, e.body AS entry,
    gone.version AS withdrawn_version, gone.recorded_at AS withdrawn_at, gone.recorded_by AS withdrawn_by,
    coalesce(gone.body::jsonb ->> 'note', '') AS withdrawn_why
FROM catalog_entries e LEFT JOIN gone USING (id)
WHERE (e.provider, e.sku) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY e.provider, e.sku, e.version, e.id

-- name: version_at
-- The newest of what the caller may see at an instant.
SELECT coalesce(max(version), 0) FROM catalog_entries WHERE recorded_at <= $1

-- name: propose
-- The tenant is the transaction's; '*' = everybody's catalog.
INSERT INTO catalog_proposals (tenant, name, note, entries, review, proposed_by) VALUES ($1, $2, $3, $4, $5, $6)
RETURNING id

-- name: proposals
-- Newest first, without their reviews.
SELECT id, name, note, proposed_by, proposed_at, state, decided_by, decided_at, reason, version
FROM catalog_proposals WHERE ($1 = '' OR state = $1) AND id < $2 ORDER BY id DESC LIMIT $3

-- name: proposal
-- One, whole.
SELECT id, name, note, entries, review, proposed_by, proposed_at, state, decided_by, decided_at, reason, version
FROM catalog_proposals WHERE id = $1

-- name: open_proposal
-- The newest that is open under a file's name.
SELECT id, name, note, entries, review, proposed_by, proposed_at, state, decided_by, decided_at, reason, version
FROM catalog_proposals WHERE state = 'open' AND name = $1 ORDER BY id DESC LIMIT 1

-- name: decide
-- Once: two who decide at the same time wait here, and the second finds it decided. A review of null = as was.
UPDATE catalog_proposals SET state = $2, decided_by = $3, decided_at = now(), reason = $4, version = $5,
    review = coalesce($6::jsonb, review)
WHERE id = $1 AND state = 'open' RETURNING id

-- name: used
-- Who has ever used what.
SELECT tenant, provider, sku, series FROM catalog_used()

-- name: events
-- Booked events of some series in a stretch of time, newest first.
SELECT occurred_at, event FROM catalog_events($1, $2, $3, $4)

-- name: events_count
-- How many there are.
SELECT catalog_events_count($1, $2, $3)

-- name: time_limit
-- How long a statement of this transaction may take from here on.
SELECT set_config('statement_timeout', $1, true)

-- name: unknown
-- What was booked without a price, or at a bound.
SELECT tenant, provider, sku, currency, first_seen, last_seen, earliest, events, unpriced_events, provisional,
    usage::text AS usage, samples, lines FROM catalog_unknown($1)

-- name: booked
-- Whether the tenant has bookings: a series is written with the first.
SELECT EXISTS (SELECT FROM series)

-- name: dropped
-- Fields that were dropped since $1, by key; of the tenant, or of all.
SELECT tenant, key_id, key_name, name, first_at, last_at, requests FROM dropped_names_seen($1, $2)

-- name: remarked
-- What was priced without regard to how it was served, the latest first.
SELECT kind, provider, value, currency, tenants, events, effective, first_at, last_at, samples
FROM remarks_seen($1)

-- name: pull_lock
-- Those who begin a pull do so one after the other; until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('catalog_pulls'))

-- name: pull_begun
-- A pull that runs ($1: not longer ago than that it may still), or the schedule's last one within $2.
SELECT id, state FROM catalog_pulls
WHERE (state = 'running' AND started_at > now() - $1::interval)
    OR ($2::interval IS NOT NULL AND trigger = 'schedule' AND started_at > now() - $2::interval)
ORDER BY id DESC LIMIT 1

-- name: pull_begin
-- The tenant is the transaction's.
INSERT INTO catalog_pulls (tenant, started_by, trigger) VALUES ($1, $2, $3) RETURNING id

-- name: pull_end
-- What became of it.
UPDATE catalog_pulls SET ended_at = now(), state = $2, says = $3, files = $4::jsonb, report = $5::jsonb WHERE id = $1

-- name: pull_so_far
-- What it has done until now.
UPDATE catalog_pulls SET files = $2::jsonb, report = $3::jsonb WHERE id = $1

-- name: pull_files
-- Of each source and address, the newest file that was read and judged to its end.
SELECT DISTINCT ON (f ->> 'source') f FROM catalog_pulls, jsonb_array_elements(files) AS f
WHERE f ->> 'sha256' <> '' AND f ->> 'state' IN ('read', 'unchanged') AND state IN ('unchanged', 'nothing', 'proposed')
ORDER BY f ->> 'source', id DESC

-- name: pull_replaces
-- What earlier pulls proposed of a list ($1: how its files' names begin) and nobody has decided: $4 is newer;
-- 0 = its newest file has nothing to propose.
UPDATE catalog_proposals SET state = 'rejected', decided_by = $2, decided_at = now(), reason = $3
WHERE state = 'open' AND starts_with(name, $1) AND id <> $4
    AND substr(name, length($1) + 1) ~ '^( [0-9]+|[0-9a-f]{12}(\.json)?)$' AND id IN (
    SELECT proposal::int FROM catalog_pulls, jsonb_array_elements_text(report -> 'proposals') AS proposal)
RETURNING id

-- name: pulls
-- Newest first.
SELECT id, started_by, trigger, started_at, ended_at, state, says, files, report, withdrawn_by, withdrawn_version
FROM catalog_pulls WHERE id < $1 ORDER BY id DESC LIMIT $2

-- name: pull
-- One.
SELECT id, started_by, trigger, started_at, ended_at, state, says, files, report, withdrawn_by, withdrawn_version
FROM catalog_pulls WHERE id = $1

-- name: pull_withdrawn
-- By whom, in which publication.
UPDATE catalog_pulls SET withdrawn_by = $2, withdrawn_version = $3 WHERE id = $1
