-- name: publication
-- The newest publication, which the topic must end with.
SELECT version, entries, published_at, note FROM catalog_published()

-- name: entries
-- Every entry up to it, as it goes to the topic.
SELECT id, body FROM catalog_to_publish() WHERE version <= $1
