-- name: incidents
-- What became of each incident of a rule since $2, the newest first: what people made of it, and the money that it was about
-- (of kinds that are held against what is usual: over that).
SELECT i.opened_at, i.repeats, i.told, i.currency, a.at AS acknowledged_at,
    greatest(i.amount - CASE WHEN i.kind IN ('budget', 'forecast', 'burn') THEN 0 ELSE i.expected END, 0) AS money,
    CASE WHEN f.act IN ('expected', 'false_alarm') THEN f.act END AS says
FROM incidents i
    LEFT JOIN LATERAL (
        SELECT at FROM incident_acts
        WHERE tenant = i.tenant AND incident_id = i.id AND act = 'acknowledge' ORDER BY number LIMIT 1
    ) AS a ON true
    LEFT JOIN LATERAL (
        SELECT act FROM incident_acts
        WHERE tenant = i.tenant AND incident_id = i.id AND act IN ('expected', 'false_alarm', 'no_feedback')
        ORDER BY number DESC LIMIT 1
    ) AS f ON true
WHERE i.rule_id = $1 AND i.opened_at >= $2 ORDER BY i.opened_at DESC LIMIT $3
