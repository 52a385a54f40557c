-- name: tables
-- What is noted of each event, by its identity. kind: how its submission ended (accepted, refused, unknown), a copy
-- on the topic (seen), an entry of which the topic has no record (booked), or no longer (gone). SQLite.
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA temp_store = FILE;
CREATE TABLE noted (key BLOB, said BLOB, kind TEXT, partition INT, at INT);
CREATE VIEW judged AS
SELECT *, sent AND (
    seen < accepted OR differ OR (accepted + unknown = 0 AND seen + booked + gone > 0)
) AS doubtful
FROM (
    SELECT key, sum(kind IN ('accepted', 'refused', 'unknown')) AS sent, sum(kind = 'accepted') AS accepted,
        sum(kind = 'unknown') AS unknown, sum(kind = 'seen') AS seen, max(kind = 'booked') AS booked,
        max(kind = 'gone') AS gone, min(said) IS NOT max(said) AS differ
    FROM noted GROUP BY key
)

-- name: note
-- One of them; partition and offset of a copy.
INSERT INTO noted VALUES (?, ?, ?, ?, ?)

-- name: index
-- Once all are noted: the groups then come in order, from the index alone.
CREATE INDEX noted_key ON noted (key, kind, said)

-- name: counted
-- Submissions, those of them that were accepted, refused and of unknown outcome, copies beyond what was sent,
-- events that no log names, and how many submissions have to be looked at one by one.
SELECT count(*) FILTER (WHERE sent), count(*) FILTER (WHERE accepted),
    count(*) FILTER (WHERE sent AND accepted + unknown = 0), count(*) FILTER (WHERE unknown AND NOT accepted),
    coalesce(sum(max(0, seen - accepted - unknown)) FILTER (WHERE sent), 0),
    coalesce(sum(seen) FILTER (WHERE NOT sent), 0), count(*) FILTER (WHERE doubtful)
FROM judged

-- name: doubtful
-- Submissions that have to be looked at one by one.
SELECT key, accepted, unknown, seen, booked, gone, differ FROM judged WHERE doubtful

-- name: changed
-- Copies of an event that say what no submission of it said.
SELECT partition, at FROM noted WHERE key = ?1 AND kind = 'seen'
    AND said NOT IN (SELECT said FROM noted WHERE key = ?1 AND kind IN ('accepted', 'refused', 'unknown'))
