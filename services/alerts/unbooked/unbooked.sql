-- name: unbooked
-- Keys of tenant $1 of whose events at least $3 were rejected or in conflict in [$2, $6), the most first, with the fault
-- that most of these have. Of more than $4 rows the newest count. What was booked beside them is read for such keys
-- alone, of the minutes that events were dated in. A conflict by which what is booked was amended is none.
WITH newest AS MATERIALIZED (
    SELECT key_id, outcome, reason, recorded_at FROM unbooked u
    WHERE tenant = $1 AND recorded_at >= $2 AND recorded_at < $6 AND outcome <> 'duplicate'
        AND NOT (outcome = 'conflict' AND EXISTS (
            SELECT FROM corrections c
            WHERE c.correction_id = raise_id(u.origin_topic, u.origin_partition, u.origin_offset)
                AND c.tenant = u.tenant AND c.state = 'applied'))
    ORDER BY recorded_at DESC LIMIT $4
), many AS (
    SELECT key_id, count(*) AS unbooked, min(recorded_at) AS first_at FROM newest
    GROUP BY key_id HAVING count(*) >= $3 ORDER BY count(*) DESC LIMIT $5
)
SELECT m.key_id, m.unbooked::int, m.first_at, f.outcome, f.fault, f.events::int AS with_fault, (
    SELECT coalesce(sum(r.events), 0)::int FROM rollups_minute r JOIN series s USING (tenant, series_id)
    WHERE r.tenant = $1 AND r.bucket >= date_trunc('minute', $2::timestamptz) AND r.bucket < $6
        AND r.shard >= 0 AND s.key_id = m.key_id
) AS booked
FROM many m CROSS JOIN LATERAL (
    SELECT outcome, fault_of(reason) AS fault, count(*) AS events FROM newest n WHERE n.key_id = m.key_id
    GROUP BY outcome, fault ORDER BY events DESC, outcome, fault LIMIT 1
) AS f
