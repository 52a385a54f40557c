-- name: claim
-- At most $2 deliveries of each channel that is not busy ($3), $6 of each tenant that is not busy ($5), $1 in all,
-- tenants taking turns: a slow receiver holds up nobody else, and twenty of one tenant no other tenant. Of an incident
-- and channel the newest that is due goes first, for it says what the others would have, and none while another is
-- under way; to the topic ($7) all go, in their order. A digest begins with its first row.
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
                SELECT FROM deliveries other
                WHERE other.tenant = p.tenant AND other.incident_id = p.incident_id
                    AND other.channel_id = p.channel_id AND other.state = 'pending' AND other.id <> p.id
                    AND CASE
                        WHEN p.channel_id = $7 THEN (other.created_at, other.number) < (p.created_at, p.number)
                        WHEN other.claimed_until > now() THEN true
                        WHEN p.held = 'digest' THEN false
                        ELSE (other.created_at, other.number) > (p.created_at, p.number)
                            AND other.next_attempt_at <= now()
                    END
            )
            AND NOT (p.held = 'digest' AND EXISTS (
                SELECT FROM deliveries first
                WHERE first.tenant = p.tenant AND first.channel_id = p.channel_id AND first.state = 'pending'
                    AND first.held = 'digest' AND first.id <> p.id AND first.next_attempt_at <= now()
                    AND (first.claimed_until > now() OR (first.created_at, first.id) < (p.created_at, p.id))
            ))
        ORDER BY p.next_attempt_at
        LIMIT $2 FOR UPDATE SKIP LOCKED
    ) AS one
    ORDER BY turn LIMIT $1
) AS due
WHERE due.turn <= $6 AND d.tenant = due.tenant AND d.id = due.id
RETURNING d.tenant, d.id, d.incident_id, d.number, d.transition, d.channel_id, d.body, d.attempts, d.held, d.created_at

-- name: same_incident
-- What the channel has not had of the incident before this message ($2); of that no digest, for it tells of others too.
-- They are held until this transaction ends.
SELECT older.id, older.body, older.claimed_until > now() AS under_way
FROM deliveries mine JOIN deliveries older
    ON older.tenant = mine.tenant AND older.incident_id = mine.incident_id AND older.channel_id = mine.channel_id
WHERE mine.tenant = $1 AND mine.id = $2 AND older.id <> mine.id AND older.state = 'pending'
    AND (older.created_at, older.number) < (mine.created_at, mine.number)
    AND CASE WHEN older.held = 'digest' THEN older.body::jsonb ->> 'transition' <> 'digest' ELSE true END
ORDER BY older.created_at, older.number FOR UPDATE OF older

-- name: same_digest
-- What goes out with the digest that begins with $2.
SELECT later.id, later.body, later.claimed_until > now() AS under_way
FROM deliveries mine JOIN deliveries later ON later.tenant = mine.tenant AND later.channel_id = mine.channel_id
WHERE mine.tenant = $1 AND mine.id = $2 AND later.id <> mine.id AND later.state = 'pending'
    AND later.attempts = 0 AND later.next_attempt_at <= now()
    AND CASE WHEN later.held = 'digest' THEN later.body::jsonb ->> 'transition' <> 'digest' ELSE false END
ORDER BY later.created_at, later.number FOR UPDATE OF later

-- name: merge
-- $3 are told by $2.
UPDATE deliveries SET state = 'merged', merged_into = $2, finished_at = now() WHERE tenant = $1 AND id = ANY ($3::uuid[])

-- name: put_body
-- What it says with the others, before it is sent for the first time.
UPDATE deliveries SET body = $3, held = $4 WHERE tenant = $1 AND id = $2 AND state = 'pending'

-- name: give_back
-- Another one of the incident is under way: this one waits, and no attempt is used up.
UPDATE deliveries SET next_attempt_at = now() + interval '1 second', claimed_until = '-infinity', attempts = attempts - 1
WHERE tenant = $1 AND id = $2 AND state = 'pending' AND attempts = $3

-- name: channel
-- How the channel is told, and what it was told of the incident ($3); none when it was disabled or deleted meanwhile.
SELECT c.kind, c.settings, coalesce(m.remembered, '{}') AS remembered
FROM channels c LEFT JOIN channel_memory m ON m.tenant = c.tenant AND m.channel_id = c.id AND m.incident_id = $3
WHERE c.tenant = $1 AND c.id = $2 AND c.disabled_at IS NULL AND c.deleted_at IS NULL

-- name: zone
-- In which the tenant's times are said.
SELECT zone FROM tenant_terms WHERE tenant = $1 AND effective_from <= now() ORDER BY effective_from DESC LIMIT 1

-- name: delivered
-- Told, and done; $3 says why there was nothing to send.
UPDATE deliveries SET state = 'delivered', finished_at = now(), last_error = $3
WHERE tenant = $1 AND id = $2 AND state = 'pending'

-- name: postpone
-- Not now: try again after $3. Only while the claim is ours ($4 = its attempt); $6 = whether it counts as one.
UPDATE deliveries SET next_attempt_at = now() + $3::interval, claimed_until = '-infinity', last_error = $5,
    attempts = attempts - CASE WHEN $6 THEN 0 ELSE 1 END
WHERE tenant = $1 AND id = $2 AND state = 'pending' AND attempts = $4

-- name: fail
-- Given up.
UPDATE deliveries SET state = 'failed', finished_at = now(), last_error = $3
WHERE tenant = $1 AND id = $2 AND state = 'pending'

-- name: remember
-- What the channel is to be told next time ($4), and what it was told now ($5, NULL = nothing), which an Alertmanager hears
-- again.
INSERT INTO channel_memory AS m (tenant, incident_id, channel_id, remembered, event, delivery_id, told_at, resend_at)
VALUES (
    $1, $2, $3, $4, coalesce($5::text, ''), CASE WHEN $5::text IS NOT NULL THEN $6::uuid END,
    CASE WHEN $5::text IS NOT NULL THEN now() END,
    CASE WHEN $5::text IS NOT NULL AND $7 THEN now() + interval '1 minute' END
)
ON CONFLICT (tenant, incident_id, channel_id) DO UPDATE SET remembered = m.remembered || excluded.remembered,
    event = CASE WHEN $5::text IS NULL THEN m.event ELSE excluded.event END,
    delivery_id = CASE WHEN $5::text IS NULL THEN m.delivery_id ELSE excluded.delivery_id END,
    told_at = coalesce(excluded.told_at, m.told_at),
    resend_at = CASE WHEN $5::text IS NULL THEN m.resend_at ELSE excluded.resend_at END

-- name: channel_delivers
-- It works; whether it had been failing.
UPDATE channels c SET last_success_at = now(), failing_since = NULL, failures = 0, last_error = ''
FROM (SELECT tenant, id, failing_since FROM channels WHERE tenant = $1 AND id = $2 FOR UPDATE) AS before
WHERE c.tenant = before.tenant AND c.id = before.id RETURNING before.failing_since IS NOT NULL

-- name: hasten
-- The channel delivers again: what was tried in vain need not wait any longer.
UPDATE deliveries SET next_attempt_at = now() WHERE tenant = $1 AND id IN (
    SELECT id FROM deliveries
    WHERE tenant = $1 AND channel_id = $2 AND state = 'pending' AND attempts > 0 AND claimed_until <= now()
    FOR UPDATE SKIP LOCKED
)

-- name: channel_fails
-- An attempt failed, for good ($4) or not. A test ($5) says nothing of what was to be told.
UPDATE channels SET last_failure_at = now(), last_error = $3,
    failing_since = CASE WHEN $5 THEN failing_since ELSE coalesce(failing_since, now()) END,
    failures = failures + CASE WHEN $4 AND NOT $5 THEN 1 ELSE 0 END
WHERE tenant = $1 AND id = $2

-- name: disable_channel
-- The receiver has said 410 Gone.
UPDATE channels SET disabled_at = now(), disabled_reason = $3, updated_at = now()
WHERE tenant = $1 AND id = $2 AND disabled_at IS NULL
