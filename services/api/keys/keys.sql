-- name: list
-- The tenant's keys, newest first, after ($1, $2); null = any: $3 its state, $4 its id. Never what they are compared with.
SELECT * FROM (
    SELECT k.key_id, k.name, k.scopes, k.created_at, k.expires_at, k.revoked_at, k.rotated_at,
        CASE WHEN k.former_until > now() THEN k.former_until END AS former_until, u.last_used_at, k.events_per_minute,
        k.trust_reported_cost, CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.expires_at <= now() THEN 'expired'
            ELSE 'live' END AS state
    FROM api_keys k LEFT JOIN keys_used() u USING (key_id)
    WHERE (k.created_at, k.key_id) < ($1, $2) AND ($4::text IS NULL OR k.key_id = $4)
) AS found
WHERE $3::text IS NULL OR state = $3
ORDER BY created_at DESC, key_id DESC LIMIT $5

-- name: hold
-- Until the transaction's end nobody else makes or revokes a key of this tenant.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1801812851))

-- name: live
-- How many keys open something, and how many of them may change everything.
SELECT count(*) AS keys, count(*) FILTER (WHERE 'admin' = ANY (scopes)) AS admins FROM api_keys
WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
