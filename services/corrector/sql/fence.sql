-- name: first_start
-- Made once: corrections are read from the beginning of their topic.
INSERT INTO corrector (topic) VALUES ($1) ON CONFLICT DO NOTHING

-- name: standing
-- How far the topic is worked off, and the number of the next entry.
SELECT topic, position, next_entry, moves FROM corrector

-- name: move
-- No row: somebody else has done what we are about to do, or something else first. A row: it is ours until COMMIT. What
-- corrects is recorded today, and on no earlier day than the last, or than what it corrects.
UPDATE corrector SET position = $5, next_entry = $6, moves = moves + 1, accepted = accepted + $7,
    repeated = repeated + $8, stray = stray + $9,
    recorded_on = greatest(recorded_on, (now() AT TIME ZONE 'UTC')::date, (SELECT max(p.recorded_on) FROM positions p))
WHERE topic = $1 AND position = $2 AND next_entry = $3 AND moves = $4
