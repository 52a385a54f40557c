-- name: claim
-- What is to be said again, at most $1: the claim is the next date, so whoever dies with it in hand costs one
-- repetition. in_hand = a newer message is being delivered just now, which this one must not overtake.
UPDATE channel_memory m SET resend_at = now() + interval '1 minute'
FROM (
    SELECT tenant, incident_id, channel_id FROM channel_memory
    WHERE resend_at <= now() ORDER BY resend_at LIMIT $1 FOR UPDATE SKIP LOCKED
) AS due JOIN channels c ON c.tenant = due.tenant AND c.id = due.channel_id
WHERE m.tenant = due.tenant AND m.incident_id = due.incident_id AND m.channel_id = due.channel_id
RETURNING m.tenant, m.incident_id, m.channel_id, m.event, m.delivery_id, m.told_at, m.remembered, m.resend_at,
    c.settings, c.disabled_at IS NOT NULL OR c.deleted_at IS NOT NULL AS away,
    EXISTS (
        SELECT FROM deliveries d WHERE d.tenant = m.tenant AND d.incident_id = m.incident_id
            AND d.channel_id = m.channel_id AND d.state = 'pending' AND d.claimed_until > now()
    ) AS in_hand

-- name: stop
-- It is said no more, unless something newer was said since it was claimed ($4).
UPDATE channel_memory SET resend_at = NULL
WHERE tenant = $1 AND incident_id = $2 AND channel_id = $3 AND resend_at = $4

-- name: remember
-- What the channel now has, under the same condition.
UPDATE channel_memory SET remembered = remembered || $5
WHERE tenant = $1 AND incident_id = $2 AND channel_id = $3 AND resend_at = $4
