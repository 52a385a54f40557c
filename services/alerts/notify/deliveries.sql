-- name: claim
-- At most $2 deliveries of each channel that is not busy ($3), $6 of each tenant that is not busy ($5), $1 in
-- all, tenants taking turns: a slow receiver holds up nobody else, and twenty of one tenant no other tenant.
-- One that follows an unfinished one of the same incident and channel waits for it.
UPDATE deliveries d SET claimed_until = now() + $4::interval, attempts = d.attempts + 1
FROM (
    SELECT one.tenant, one.id, row_number() OVER (PARTITION BY one.tenant ORDER BY one.next_attempt_at) AS turn
    FROM (
        SELECT DISTINCT tenant, channel_id FROM deliveries
        WHERE state = 'pending' AND next_attempt_at <= now() AND claimed_until <= now()
            AND channel_id <> ALL ($3::uuid[]) AND tenant <> ALL ($5::text[])
    ) AS channel, LATERAL (
        SELECT p.tenant, p.id, p.next_attempt_at FROM deliveries p
        WHERE p.tenant = channel.tenant AND p.channel_id = channel.channel_id
            AND p.state = 'pending' AND p.next_attempt_at <= now() AND p.claimed_until <= now()
            AND NOT EXISTS (
                SELECT 1 FROM deliveries earlier
                WHERE earlier.tenant = p.tenant AND earlier.incident_id = p.incident_id
                    AND earlier.channel_id = p.channel_id AND earlier.state = 'pending'
                    AND earlier.created_at < p.created_at
            )
        ORDER BY p.next_attempt_at LIMIT $2 FOR UPDATE SKIP LOCKED
    ) AS one
    ORDER BY turn LIMIT $1
) AS due
WHERE due.turn <= $6 AND d.tenant = due.tenant AND d.id = due.id
RETURNING d.tenant, d.id, d.incident_id, d.transition, d.channel_id, d.body, d.attempts, d.created_at

-- name: endpoint
-- Where the channel's notifications go; none when it was disabled or deleted meanwhile.
SELECT url, secret FROM channels
WHERE tenant = $1 AND id = $2 AND disabled_at IS NULL AND deleted_at IS NULL

-- name: delivered
-- Told, and done.
UPDATE deliveries SET state = 'delivered', finished_at = now(), last_error = ''
WHERE tenant = $1 AND id = $2 AND state = 'pending'

-- name: postpone
-- Not now: try again after $3. Only while the claim is ours ($4 = its attempt).
UPDATE deliveries SET next_attempt_at = now() + $3::interval, claimed_until = '-infinity', last_error = $5
WHERE tenant = $1 AND id = $2 AND state = 'pending' AND attempts = $4

-- name: fail
-- Given up.
UPDATE deliveries SET state = 'failed', finished_at = now(), last_error = $3
WHERE tenant = $1 AND id = $2 AND state = 'pending'

-- name: disable_channel
-- The receiver has said 410 Gone.
UPDATE channels SET disabled_at = now(), disabled_reason = $3, updated_at = now()
WHERE tenant = $1 AND id = $2 AND disabled_at IS NULL
