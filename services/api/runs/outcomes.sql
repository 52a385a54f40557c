-- name: list
-- Outcomes of [$1, $2), newest first, after ($3, $4), each with what became of it: the latest verdict holds, a reversal is
-- for good. Null = any: $5 run, $6 workflow, $7 its version, $8 name, $9 state.
SELECT * FROM (
    SELECT o.source, o.event_id AS id, o.identity, o.occurred_at AS time, o.recorded_at, o.key_id, o.name, o.count,
        CASE WHEN o.currency <> '' THEN o.value END AS value, o.currency, o.run, o.workflow, o.workflow_version, o.labels,
        CASE WHEN r.identity IS NOT NULL THEN 'reversed' WHEN coalesce(v.accepted, o.accepted) THEN 'accepted'
            WHEN NOT coalesce(v.accepted, o.accepted) THEN 'refused' ELSE 'open' END AS state,
        coalesce(r.source, v.source) AS by_source, coalesce(r.event_id, v.event_id) AS by_id,
        coalesce(r.occurred_at, v.occurred_at) AS by_at
    FROM outcomes o LEFT JOIN LATERAL (
        SELECT x.identity, x.source, x.event_id, x.occurred_at FROM outcomes x
        WHERE x.target = o.identity AND x.kind = 'reversal' ORDER BY x.occurred_at, x.identity LIMIT 1
    ) AS r ON true LEFT JOIN LATERAL (
        SELECT x.accepted, x.source, x.event_id, x.occurred_at FROM outcomes x
        WHERE x.target = o.identity AND x.kind = 'verdict' ORDER BY x.occurred_at DESC, x.identity DESC LIMIT 1
    ) AS v ON true
    WHERE o.kind = 'outcome' AND o.occurred_at >= $1 AND o.occurred_at < $2 AND (o.occurred_at, o.identity) < ($3, $4)
        AND ($5::text IS NULL OR o.run = $5) AND ($6::text IS NULL OR o.workflow = $6)
        AND ($7::text IS NULL OR o.workflow_version = $7) AND ($8::text IS NULL OR o.name = $8)
) AS found
WHERE $9::text IS NULL OR state = $9
ORDER BY time DESC, identity DESC LIMIT $10

-- name: faults
-- What came in [$1, $2) and is not kept, newest first, after ($3, $4).
SELECT fault, reason, source, event_id AS id, key_id, recorded_at, origin_offset AS offset FROM outcome_faults
WHERE recorded_at >= $1 AND recorded_at < $2 AND (recorded_at, origin_offset) < ($3, $4)
ORDER BY recorded_at DESC, origin_offset DESC LIMIT $5
