-- name: current
-- What is not over; what was over a moment ago, but for budgets: such scopes are cooling down; anomalies of the last
-- day, which may repeat, and of the last month those that people expected; and what of a budget was over before the end of
-- its period: it is told of no more, or it may open again; or a moment ago, for of one that rolls lower thresholds are then
-- reached from above.
SELECT * FROM incidents WHERE tenant = $1 AND state <> 'resolved'
UNION ALL
SELECT * FROM incidents WHERE tenant = $1 AND kind <> 'budget' AND resolved_at > $2
    AND (kind = 'anomaly' OR resolved_at > $4)
UNION ALL
SELECT * FROM incidents WHERE tenant = $1 AND kind = 'anomaly' AND resolved_at <= $2 AND expected_until > $5
UNION ALL
SELECT * FROM incidents WHERE tenant = $1 AND kind = 'budget' AND state = 'resolved'
    AND (period_end > $3 OR resolved_at > $4)

-- name: rerating
-- Whether a job of the tenant's is changing the book: a dry run does not, nor does one that has gone through and waits
-- for what is not booked yet.
SELECT EXISTS (
    SELECT FROM rerate_jobs j JOIN rerate_passes p
        ON p.tenant = j.tenant AND p.rerate_id = j.rerate_id AND p.phase = 'applied'
    WHERE j.tenant = $1 AND j.state = 'applying' AND NOT p.swept
)

-- name: key_names
-- The function sees api_keys, which holds what signs in: alerts sees names alone.
SELECT key_id, name FROM key_names($1, $2)

-- name: hold_tenant
-- Two workers that see the same thing: the second waits, then sees the first one's incident.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1095518290))

-- name: insert
-- The id is the digest of the incident's key, so whoever comes second inserts nothing.
INSERT INTO incidents SELECT (jsonb_populate_record(NULL::incidents, $1)).*
ON CONFLICT DO NOTHING RETURNING id

-- name: update
-- Figures and words; only as they were when they were read, so that two workers do not take turns.
UPDATE incidents i SET began_at = n.began_at, amount = n.amount, expected = n.expected,
    rate_per_hour = n.rate_per_hour,
    expected_per_hour = n.expected_per_hour, of_which_provisional = n.of_which_provisional,
    corrected = n.corrected, hot_per_hour = n.hot_per_hour, told = n.told,
    peak_per_hour = greatest(i.peak_per_hour, n.peak_per_hour), top_contributor = n.top_contributor,
    title = n.title, summary = n.summary, suggested_action = n.suggested_action, figures = n.figures,
    key_names = n.key_names, link = n.link,
    updated_at = n.updated_at, state = n.state, resolved_at = n.resolved_at,
    resolution = n.resolution, severity = n.severity, number = n.number, repeats = n.repeats, details = n.details,
    snoozed_until = n.snoozed_until, snoozed_amount = n.snoozed_amount, planned = n.planned, parent = n.parent,
    hot_at = greatest(i.hot_at, n.hot_at)
FROM jsonb_populate_record(NULL::incidents, $1) n
WHERE i.tenant = n.tenant AND i.id = n.id AND i.state = $2 AND i.updated_at = $3
RETURNING i.id

-- name: touch
-- When an anomaly was last seen over its expectation.
UPDATE incidents SET hot_at = greatest(hot_at, $3) WHERE tenant = $1 AND id = $2 AND state <> 'resolved'

-- name: windows
-- What is planned now.
SELECT id, filter, starts_at, least(ends_at, cancelled_at) AS ends_at FROM planned_windows
WHERE tenant = $1 AND starts_at <= $2 AND ends_at > $2 AND (cancelled_at IS NULL OR cancelled_at > $2)

-- name: unheard
-- Whether a snooze holds back that it is open.
SELECT EXISTS (
    SELECT FROM deliveries WHERE tenant = $1 AND incident_id = $2 AND state = 'pending' AND held = 'snooze'
        AND transition IN ('opened', 'repeated')
)

-- name: whole
-- The incident that others are told with.
SELECT * FROM incidents WHERE tenant = $1 AND id = $2

-- name: of_budgets
-- What was told of budgets of a scope ($2) since $3, the beginning of a period, and what is open of before.
SELECT * FROM incidents
WHERE tenant = $1 AND scope_digest = $2 AND kind IN ('budget', 'forecast', 'burn') AND told
    AND (opened_at >= $3 OR state <> 'resolved')
ORDER BY opened_at, id

-- name: hold
-- The same, in one order for all; nobody changes them meanwhile.
SELECT * FROM incidents WHERE tenant = $1 AND id = ANY ($2::uuid[]) ORDER BY id FOR UPDATE

-- name: parts_open
-- What is told with any of $2 and open, but for $3.
SELECT * FROM incidents
WHERE tenant = $1 AND parent = ANY ($2::uuid[]) AND told AND state <> 'resolved' AND id <> $3
