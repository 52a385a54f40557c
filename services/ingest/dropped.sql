-- name: note
-- One name of one key; a new one only while the key has fewer than $7 that came within 90 days.
INSERT INTO dropped_names AS d (tenant, key_id, name, first_at, last_at, requests)
SELECT $1::text, $2::text, $3::text, $4::timestamptz, $5::timestamptz, $6::bigint
WHERE EXISTS (SELECT FROM dropped_names k WHERE (k.tenant, k.key_id, k.name) = ($1, $2, $3))
    OR $7 > (SELECT count(*) FROM dropped_names k
        WHERE (k.tenant, k.key_id) = ($1, $2) AND k.last_at > $5 - interval '90 days')
ON CONFLICT (tenant, key_id, name) DO UPDATE SET
    first_at = least(d.first_at, excluded.first_at),
    last_at = greatest(d.last_at, excluded.last_at),
    requests = d.requests + excluded.requests
