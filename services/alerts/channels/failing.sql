-- name: channels
-- A tenant's channels that fail or are gone, and those of incidents that say so ($2); of what was not delivered meanwhile,
-- no more than a thousand are counted.
SELECT c.id, c.name, c.kind, c.failing_since, c.failures, c.last_error, c.last_success_at, c.disabled_at, c.disabled_reason,
    c.deleted_at, c.updated_by, (
        SELECT count(*)::int FROM (
            SELECT FROM deliveries d
            WHERE d.tenant = c.tenant AND d.channel_id = c.id AND d.transition <> 'test'
                AND d.created_at >= coalesce(c.failing_since, c.disabled_at) - interval '2 days'
                AND (d.state = 'pending' AND d.attempts > 0
                    OR d.state = 'failed' AND d.finished_at >= coalesce(c.failing_since, c.disabled_at))
            LIMIT 1000
        ) AS missed
    ) AS undelivered
FROM channels c
WHERE c.tenant = $1 AND (
    c.deleted_at IS NULL AND (c.failing_since IS NOT NULL OR c.disabled_at IS NOT NULL) OR c.id = ANY ($2::uuid[])
)
