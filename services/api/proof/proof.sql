-- name: until
-- Up to when all of the book is proved: of which moment, by when nothing else was booked yet, and when that was looked at.
SELECT moment, held_until, proved_at, line FROM proved_until

-- name: marks
-- By partition, how far was looked, and up to where nothing is wrong that nobody has seen.
SELECT partition, first_origin, looked, next_origin, without_record, looked_at FROM proved_marks ORDER BY partition

-- name: findings
-- What was found wrong, what nobody has seen first: of the tenant, or of all.
SELECT encode(id, 'hex') AS id, tenant, invariant, what, named, partition, origin_offset, found_at, last_seen_at, gone_at,
    coalesce(note, '') AS note, coalesce(seen_by, '') AS seen_by, seen_at
FROM findings_seen($1)

-- name: see
-- Let the proof go on past a finding.
SELECT see_finding(decode($1, 'hex'), $2, $3)
