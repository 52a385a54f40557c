-- part: columns
-- A correction as it is answered.
correction_id, kind, source, event_id AS id, revision, patch, reason, author, requested_at, state, why, seqs, applied_at

-- name: correction
-- One, and when its event was booked as having happened.
SELECT {columns}, identity, find_occurred_at(identity) AS occurred_at FROM corrections WHERE correction_id = $1

-- name: corrections
-- Asked for in [from, to), newest first, after ($4, $5); $1 '' = of any state.
SELECT {columns} FROM corrections
WHERE ($1 = '' OR state = $1) AND requested_at >= $2 AND requested_at < $3 AND (requested_at, correction_id) < ($4, $5)
ORDER BY requested_at DESC, correction_id DESC LIMIT $6

-- name: next_revision
-- Of the amends of an event; after the highest that there can be the same again, of which the later amend holds.
SELECT least(coalesce(max(revision)::bigint + 1, 0), 2147483647) FROM corrections WHERE identity = $1 AND kind = 'amend'

-- name: settled
-- Of these corrections, those of which it is known what became of them.
SELECT correction_id FROM corrections WHERE correction_id = ANY ($1::text[]) AND state <> 'waiting'

-- name: entries
-- The book on an event.
SELECT recorded_at, accounting_period, catalog_version, seq, status, currency, list, contracted, effective
FROM entries WHERE recorded_on >= recorded_from($1) AND occurred_at = $1 AND identity = $2 ORDER BY seq

-- name: key_name
-- What people call the key or the person; none = it is an operator's.
SELECT name FROM api_keys WHERE key_id = $1 UNION ALL SELECT name FROM people WHERE person_id = $1
