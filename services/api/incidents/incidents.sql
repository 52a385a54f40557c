-- name: list
-- Newest first, after ($3, $4). What people have done counts from the moment they did it, before alerts sees it; an
-- acknowledgement, until the incident repeats; a snooze of what is over by now, as far as alerts lets it count.
SELECT id, shown AS state, kind, severity, rule_id AS rule, rule_name, title, scope, key_names, period_start, period_end,
    threshold_percent, currency, amount, expected, rate_per_hour, peak_per_hour, expected_per_hour,
    of_which_provisional, top_contributor, figures, summary, suggested_action, link, began_at, opened_at, updated_at,
    resolved_at, resolution, acknowledged_by, acknowledged_at, note, number, repeats, details, told, parent, expected_until,
    CASE WHEN until > now() THEN until END AS snoozed_until,
    CASE WHEN planned IS NOT NULL THEN jsonb_build_object('id', planned, 'name', window_name) END AS planned,
    CASE WHEN says IN ('expected', 'false_alarm')
        THEN jsonb_build_object('says', says, 'note', says_note, 'by', says_by, 'at', says_at) END AS feedback
FROM (
    SELECT i.*, a.by AS acknowledged_by, a.at AS acknowledged_at, a.note, w.name AS window_name,
        f.act AS says, f.note AS says_note, f.by AS says_by, f.at AS says_at,
        CASE WHEN s.at >= coalesce(i.resolved_at, (i.details ->> 'repeated_at')::timestamptz, '-infinity')
            THEN s.until ELSE i.snoozed_until END AS until,
        CASE WHEN i.state = 'open' AND a.at IS NOT NULL THEN 'acknowledged' ELSE i.state END AS shown
    FROM incidents i
        LEFT JOIN planned_windows w ON w.tenant = i.tenant AND w.id = i.planned
        LEFT JOIN LATERAL (
            SELECT by, at, note FROM incident_acts
            WHERE tenant = i.tenant AND incident_id = i.id AND act = 'acknowledge'
                AND at >= coalesce((i.details ->> 'repeated_at')::timestamptz, '-infinity')
            ORDER BY number LIMIT 1
        ) AS a ON true
        LEFT JOIN LATERAL (
            SELECT until, at FROM incident_acts
            WHERE tenant = i.tenant AND incident_id = i.id AND act IN ('snooze', 'unsnooze')
            ORDER BY number DESC LIMIT 1
        ) AS s ON true
        LEFT JOIN LATERAL (
            SELECT act, note, by, at FROM incident_acts
            WHERE tenant = i.tenant AND incident_id = i.id AND act IN ('expected', 'false_alarm', 'no_feedback')
            ORDER BY number DESC LIMIT 1
        ) AS f ON true
) AS known
WHERE ($1::uuid IS NULL OR id = $1) AND ($2::text[] IS NULL OR shown = ANY ($2)) AND (opened_at, id) < ($3, $4)
    AND ($5::uuid IS NULL OR parent = $5)
ORDER BY opened_at DESC, id DESC LIMIT $6

-- name: exists
-- Whether the tenant has it.
SELECT EXISTS (SELECT FROM incidents WHERE id = $1)

-- name: hold
-- Whoever acts on an incident at the same time takes turns: the second sees what the first has done.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1768842604))

-- name: acknowledge
-- The first one stays, until the incident repeats.
INSERT INTO incident_acts (tenant, incident_id, act, by, note)
SELECT i.tenant, i.id, 'acknowledge', $2, $3 FROM incidents i
WHERE i.id = $1 AND NOT EXISTS (
    SELECT FROM incident_acts a WHERE a.tenant = i.tenant AND a.incident_id = i.id AND a.act = 'acknowledge'
        AND a.at >= coalesce((i.details ->> 'repeated_at')::timestamptz, '-infinity')
)

-- name: act
-- Anything else that somebody does.
INSERT INTO incident_acts (tenant, incident_id, act, until, by, note)
SELECT tenant, id, $2, $3, $4, $5 FROM incidents WHERE id = $1

-- name: acts
-- What people did about it, the newest first.
SELECT act, until, note, by, at FROM incident_acts WHERE incident_id = $1 ORDER BY number DESC LIMIT $2
