-- name: next_version
-- The version of the next publication; nobody else gets it before this transaction ends.
SELECT catalog_next()

-- name: standing
-- Every entry that was ever recorded, by whom, and by whom it was withdrawn.
SELECT id, type, recorded_by, withdrawn_by FROM catalog_standing()

-- name: record
-- The entries of one publication, as their wire bodies.
SELECT catalog_record($1, $2, $3, $4)

-- name: publication
-- All that is published, as the topic has it.
SELECT body, version FROM catalog_to_publish(0)

-- name: recorded
-- Every entry, and the publication that brought it.
SELECT id, version FROM catalog_to_publish(0)

-- name: publications_after
-- How the publications after one were recorded.
SELECT version, entries, note, published_at, recorded_by FROM catalog_publications_after($1)

-- name: bring_back
-- A publication that the database lacks, as it was recorded first.
SELECT catalog_bring_back($1, $2, $3, $4, $5)
