-- part: asked_for
-- What arrived in [$1, $2) with one of the outcomes $3. Null = any key, source, reason; $7: whether something was booked
-- instead (of a duplicate, the first copy was).
recorded_at >= $1 AND recorded_at < $2 AND outcome = ANY ($3::text[])
    AND ($4::text IS NULL OR key_id = $4) AND ($5::text IS NULL OR source = $5)
    AND ($6::text IS NULL OR position(lower($6) IN lower(reason)) > 0 OR fault_of(reason) = $6)
    AND ($7::boolean IS NULL OR $7 = ({resolved}))

-- name: list
-- What was not booked, newest first, after ($8, $9, $10), and what was booked instead.
WITH found AS (
    SELECT u AS row, u.* FROM unbooked u
    WHERE {asked_for}
        AND (recorded_at, origin_partition, origin_offset) < ($8, $9, $10)
    ORDER BY recorded_at DESC, origin_partition DESC, origin_offset DESC LIMIT $11
)
SELECT outcome, reason, f.source, event_id AS id, size, encode(sha256, 'hex') AS sha256, recorded_at, f.key_id,
    coalesce(k.name, '') AS key_name, origin_partition AS partition, origin_offset AS offset,
    i.source AS instead_source, i.id AS instead_id, i.at AS instead_at, was_raised(f.row) AS amended
FROM found f LEFT JOIN api_keys k USING (key_id) LEFT JOIN LATERAL booked_instead(f.row) i ON true
ORDER BY recorded_at DESC, origin_partition DESC, origin_offset DESC

-- name: faults
-- The same rows, the newest $8 of them, counted by key, and by key and fault: the most without remedy first.
WITH newest AS MATERIALIZED (
    SELECT u.*, {resolved} AS resolved FROM unbooked u
    WHERE {asked_for}
    ORDER BY recorded_at DESC LIMIT $8
), counted AS (
    SELECT outcome, key_id, fault_of(reason) AS fault, count(*) AS events,
        count(*) FILTER (WHERE NOT resolved) AS unresolved,
        min(recorded_at) AS first_at, max(recorded_at) AS last_at,
        (array_agg(ARRAY[source, event_id, reason] ORDER BY recorded_at DESC))[1:1] AS last,
        GROUPING(fault_of(reason)) = 1 AS whole
    FROM newest GROUP BY GROUPING SETS ((outcome, key_id), (outcome, key_id, fault_of(reason)))
), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY whole ORDER BY unresolved DESC, events DESC, outcome, key_id, fault) AS place
    FROM counted
)
SELECT outcome, key_id, coalesce(k.name, '') AS key_name, whole, fault, events, unresolved, first_at, last_at,
    last[1][1] AS source, last[1][2] AS id, last[1][3] AS reason,
    (SELECT CASE WHEN count(*) = $8 THEN min(recorded_at) END FROM newest) AS counted_from
FROM ranked r LEFT JOIN api_keys k USING (key_id) WHERE place <= $9 ORDER BY whole DESC, place

-- part: resolved
-- Whether booked_instead has a row, asked so that most rows are looked up once; a duplicate needs nothing.
u.outcome = 'duplicate' OR was_raised(u)
    OR EXISTS (SELECT FROM supersessions s
        WHERE s.superseded = u.identity AND s.tenant = u.tenant AND NOT was_retracted(s.identity))
    OR u.outcome = 'rejected' AND EXISTS (
        SELECT FROM entries e
        WHERE e.recorded_on >= recorded_from(find_occurred_at(u.identity))
            AND e.occurred_at = find_occurred_at(u.identity) AND e.identity = u.identity AND e.seq = 0
            AND (e.recorded_at, e.origin_offset) > (u.recorded_at, u.origin_offset) AND NOT was_retracted(u.identity))

-- name: became
-- What the submission with this identity became: the seq of its last entry, and why the last copy was not booked.
SELECT (
        SELECT max(seq) FROM entries
        WHERE recorded_on >= recorded_from(find_occurred_at($1)) AND occurred_at = find_occurred_at($1) AND identity = $1
    ) AS seq,
    (SELECT outcome FROM unbooked WHERE identity = $1 ORDER BY recorded_at DESC LIMIT 1) AS outcome

-- name: booked_instead
-- The events that name this identity as the one whose place they take.
SELECT source, event_id AS id, recorded_at AS at FROM supersessions WHERE superseded = $1
ORDER BY recorded_at LIMIT $2
