-- name: acknowledge
-- Incidents that somebody has acknowledged since, in any tenant; what was acknowledged before it repeated was not.
UPDATE incidents i SET state = 'acknowledged', number = number + 1, updated_at = now()
WHERE i.state = 'open' AND EXISTS (
    SELECT FROM incident_acts a WHERE a.tenant = i.tenant AND a.incident_id = i.id AND a.act = 'acknowledge'
        AND a.at >= coalesce((i.details ->> 'repeated_at')::timestamptz, '-infinity')
)
RETURNING i.*

-- name: snoozes
-- Incidents of which the last that was said of snoozing, since $1, is not what they are; what was said before they were
-- over, or began again, was of what is over.
SELECT i.*, said.until FROM (
    SELECT DISTINCT ON (tenant, incident_id) tenant, incident_id, until, at FROM incident_acts
    WHERE at > $1 AND act IN ('snooze', 'unsnooze') ORDER BY tenant, incident_id, number DESC
) AS said JOIN incidents i ON i.tenant = said.tenant AND i.id = said.incident_id
WHERE i.snoozed_until IS DISTINCT FROM said.until
    AND said.at >= coalesce(i.resolved_at, (i.details ->> 'repeated_at')::timestamptz, '-infinity')
FOR UPDATE OF i

-- name: hold_back
-- What is on its way to channels waits for the end of the snooze ($3), but for what calms.
UPDATE deliveries SET next_attempt_at = greatest(next_attempt_at, $3), held = CASE held WHEN '' THEN 'snooze' ELSE held END
WHERE tenant = $1 AND incident_id = $2 AND state = 'pending' AND transition IN ('opened', 'grew', 'repeated')
    AND channel_id <> '00000000-0000-0000-0000-000000000000' AND claimed_until <= now()

-- name: let_go
-- It is snoozed no more: what waited for that goes out now ($3 is no time).
UPDATE deliveries SET next_attempt_at = now(), held = ''
WHERE tenant = $1 AND incident_id = $2 AND state = 'pending' AND held = 'snooze' AND $3::timestamptz IS NULL

-- name: expect
-- Bursts of which people say that they are expected: once over, for $1, their scope may spend so. The last word counts, and
-- nothing while it is open.
UPDATE incidents i SET expected_until = said.until FROM (
    SELECT DISTINCT ON (a.tenant, a.incident_id) a.tenant, a.incident_id,
        CASE WHEN a.act = 'expected' AND i.state = 'resolved' THEN i.resolved_at + $1::interval END AS until
    FROM incident_acts a JOIN incidents i ON i.tenant = a.tenant AND i.id = a.incident_id
    WHERE i.kind = 'anomaly' AND a.act IN ('expected', 'false_alarm', 'no_feedback') AND a.at > now() - 2 * $1::interval
    ORDER BY a.tenant, a.incident_id, a.number DESC
) AS said
WHERE i.tenant = said.tenant AND i.id = said.incident_id AND i.expected_until IS DISTINCT FROM said.until

-- name: releasable
-- What was withheld, and goes on although its window has been over for $2, or its parent for $3. A burst that is twice as
-- fast as the loop that it was a part of has other money, too; a burst itself tells how fast all within its scope is.
-- What was new in a window is known by now, and is told no more.
SELECT i.* FROM incidents i
    LEFT JOIN incidents p ON p.tenant = i.tenant AND p.id = i.parent
    LEFT JOIN planned_windows w ON w.tenant = i.tenant AND w.id = i.planned
WHERE i.state <> 'resolved' AND NOT i.told AND (
    p.resolved_at < $1::timestamptz - $3::interval
    OR (i.kind = 'anomaly' AND i.peak_per_hour > 2 * p.peak_per_hour AND p.updated_at > i.opened_at)
    OR (
        least(w.ends_at, w.cancelled_at) < $1::timestamptz - $2::interval AND i.kind <> 'first'
        AND (i.kind <> 'anomaly' OR i.hot_at > least(w.ends_at, w.cancelled_at) + interval '1 minute')
    )
)
FOR UPDATE OF i
