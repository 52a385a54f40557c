-- name: seen
-- Fields that were dropped since $1, by key; of the tenant, or of all.
SELECT tenant, key_id, key_name, name, first_at, last_at, requests FROM dropped_names_seen($1, $2)
