-- name: list
-- Newest first, after ($3, $4). An acknowledgement counts from the moment it was made, before alerts sees it.
SELECT id, shown AS state, kind, rule_id AS rule, rule_name, title, scope, key_names, period_start, period_end,
    threshold_percent, currency, amount, expected, rate_per_hour, peak_per_hour, expected_per_hour,
    of_which_provisional, top_contributor, figures, summary, suggested_action, link, began_at, opened_at, updated_at, resolved_at, resolution, acknowledged_by, acknowledged_at, note
FROM (
    SELECT i.*, a.acknowledged_by, a.acknowledged_at, a.note,
        CASE WHEN i.state = 'open' AND a.acknowledged_at IS NOT NULL THEN 'acknowledged' ELSE i.state END AS shown
    FROM incidents i LEFT JOIN acknowledgements a ON a.tenant = i.tenant AND a.incident_id = i.id
        AND a.acknowledged_at >= coalesce((i.details ->> 'repeated_at')::timestamptz, '-infinity')
) AS known
WHERE ($1::uuid IS NULL OR id = $1) AND ($2::text[] IS NULL OR shown = ANY ($2)) AND (opened_at, id) < ($3, $4)
ORDER BY opened_at DESC, id DESC LIMIT $5

-- name: acknowledge
-- The first one stays, until the incident repeats.
INSERT INTO acknowledgements (tenant, incident_id, acknowledged_by, note)
SELECT tenant, id, $2, $3 FROM incidents WHERE id = $1
ON CONFLICT (tenant, incident_id) DO UPDATE SET acknowledged_by = excluded.acknowledged_by, note = excluded.note,
    acknowledged_at = excluded.acknowledged_at
WHERE acknowledgements.acknowledged_at < (
    SELECT (i.details ->> 'repeated_at')::timestamptz FROM incidents i
    WHERE i.tenant = acknowledgements.tenant AND i.id = acknowledgements.incident_id)
