-- name: list
-- What was changed in [$1, $2), newest first, after ($3, $4). Null = any: $5 by whom, $6 which kind of thing, $7 which one.
-- The name of a key or a person is what its own tenant calls it.
SELECT a.number, a.at, a.by, coalesce(k.name, p.name) AS by_name, a.object, a.object_id, a.act, a.was, a.became, a.withheld
FROM audit_log a LEFT JOIN api_keys k ON a.by = 'key ' || k.key_id LEFT JOIN people p ON a.by = 'person ' || p.person_id
WHERE a.at >= $1 AND a.at < $2 AND (a.at, a.number) < ($3, $4) AND ($5::text IS NULL OR a.by = $5)
    AND ($6::text IS NULL OR a.object = $6) AND ($7::text IS NULL OR a.object_id = $7)
ORDER BY a.at DESC, a.number DESC LIMIT $8
