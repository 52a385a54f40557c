-- name: accounts
-- How far the book is in each partition, since when its account is open, and how far it is proved there.
SELECT p.partition, p.origin_topic, p.next_origin, p.booked, p.duplicate, p.conflict, p.rejected,
    coalesce((SELECT max(c.ended_at) FROM closed_accounts c WHERE c.partition = p.partition), '-infinity') AS opened_at,
    m.origin_topic AS marked_topic, m.first_origin, m.looked, m.booked AS own_booked, m.duplicate AS own_duplicate,
    m.conflict AS own_conflict, m.rejected AS own_rejected
FROM positions p LEFT JOIN proved_marks m USING (partition) ORDER BY p.partition

-- name: kept_from
-- From which offset of partition $1, whose account was opened at $2, entries are part of the book: those before lie in months
-- that are put away. They go in the order in which they were recorded, which is that of their offsets; null = none is left.
SELECT CASE WHEN EXISTS (SELECT FROM archived_months) THEN (
        SELECT min(origin_offset) FROM entries WHERE origin_partition = $1 AND recorded_at >= $2)
    ELSE 0 END

-- name: put_away
-- Which of these entries' events were first recorded in a month that is put away.
SELECT i.identity FROM identities i JOIN archived_months a ON a.month = date_trunc('month', i.recorded_on)::date
WHERE i.identity = ANY ($1::bytea[])

-- name: corrector
-- How many entries the corrector has written, and how many of them are proved.
SELECT coalesce((SELECT max(next_entry) FROM corrector), 0) AS next_entry,
    coalesce((SELECT looked FROM proved_marks WHERE partition = -1), 0) AS looked

-- name: begin
-- Where the look at a partition begins; again, where its topic is another than before.
INSERT INTO proved_marks (partition, origin_topic, first_origin, looked, next_origin, looked_at)
VALUES ($1, $2, $3, $3, $3, clock_timestamp())
ON CONFLICT (partition) DO UPDATE SET origin_topic = excluded.origin_topic, first_origin = excluded.first_origin,
    looked = excluded.looked, next_origin = excluded.next_origin, booked = 0, duplicate = 0, conflict = 0, rejected = 0,
    without_record = 0, looked_at = excluded.looked_at

-- name: look_on
-- From $3 to $4 of partition $1 all was looked at, with what it counted; nothing where another has done it meanwhile.
UPDATE proved_marks SET looked = $4, booked = booked + $5, duplicate = duplicate + $6, conflict = conflict + $7,
    rejected = rejected + $8, without_record = without_record + $9, looked_at = clock_timestamp()
WHERE partition = $1 AND origin_topic = $2 AND looked = $3

-- name: looked
-- These partitions were looked at to the end of what is booked.
UPDATE proved_marks SET looked_at = clock_timestamp() WHERE partition = ANY ($1::int[])

-- name: find
-- What is wrong, once each. What somebody has seen, and was put right since, and is there again, nobody has seen: it has an id of
-- its own, by how often that was so.
INSERT INTO proof_findings AS f (id, tenant, invariant, what, named, origin_topic, partition, origin_offset)
SELECT CASE WHEN EXISTS (
        SELECT FROM proof_findings o JOIN proof_acts a ON a.finding = o.id WHERE o.id = n.id AND o.gone_at IS NOT NULL) THEN (
        SELECT decode(md5(n.id || int8send(count(*))), 'hex') FROM proof_findings o JOIN proof_acts a ON a.finding = o.id
        WHERE (o.tenant, o.invariant, o.what, o.named) = (n.tenant, n.invariant, n.what, n.named)
            AND o.origin_topic IS NOT DISTINCT FROM n.origin_topic AND o.gone_at IS NOT NULL
    ) ELSE n.id END, tenant, invariant, what, named, origin_topic, partition, origin_offset
FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::bigint[])
    AS n (id, tenant, invariant, what, named, origin_topic, partition, origin_offset)
ON CONFLICT (id) DO UPDATE SET last_seen_at = now(), gone_at = NULL

-- part: in_the_way
-- Whether a finding f stops the proof: it is there still, and nobody has seen it.
f.gone_at IS NULL AND NOT EXISTS (SELECT FROM proof_acts a WHERE a.finding = f.id)

-- name: unseen
-- How many findings are there that nobody has seen.
SELECT count(*) FROM proof_findings f WHERE {in_the_way}

-- name: gone
-- What was not found again though it was looked at since $1, in these partitions from these offsets on, and, where $6, all
-- that has no offset: somebody has put it right.
UPDATE proof_findings f SET gone_at = now()
WHERE f.last_seen_at < $1 AND f.gone_at IS NULL AND (f.partition IS NULL AND $6 OR EXISTS (
    SELECT FROM unnest($2::int[], $3::text[], $4::bigint[], $5::bigint[]) AS looked (partition, topic, since, until)
    WHERE f.partition = looked.partition AND f.origin_topic = looked.topic AND f.origin_offset >= looked.since
        AND f.origin_offset < looked.until))

-- name: now
-- By the clock that findings are written by.
SELECT clock_timestamp()

-- name: prove
-- Proved is what was looked at, up to the first finding that nobody has seen.
UPDATE proved_marks m SET next_origin = n.next_origin
FROM (
    SELECT partition, greatest(first_origin, least(looked, (
        SELECT min(f.origin_offset) FROM proof_findings f
        WHERE f.partition = p.partition AND f.origin_topic = p.origin_topic AND {in_the_way}))) AS next_origin
    FROM proved_marks p
) AS n
WHERE n.partition = m.partition AND n.next_origin <> m.next_origin

-- part: covered
-- Whether every offset of a moment m is proved. What lies in an account that is closed cannot be looked at any more.
NOT EXISTS (
    SELECT FROM unnest(m.partitions, m.accounts, m.next_offsets) AS v (partition, account, next_offset)
        LEFT JOIN proved_marks p ON p.partition = v.partition
    WHERE v.next_offset > coalesce(p.next_origin, 0)
        AND v.account >= (SELECT count(*) FROM closed_accounts c WHERE c.partition = v.partition)
)

-- name: standing
-- Up to which moment all is proved; whether it still is; whether a finding of sums, which have no offset, stands in the way; and
-- the first and the last moment that there are.
SELECT u.moment, (SELECT min(at) FROM moments) AS first_at, (SELECT max(at) FROM moments) AS last_at, coalesce((
        SELECT {covered} FROM (
            SELECT * FROM moments WHERE at <= u.moment ORDER BY at DESC LIMIT 1
        ) AS m
    ), true) AS holds,
    EXISTS (SELECT FROM proof_findings f WHERE f.partition IS NULL AND {in_the_way}) AS sums_are_wrong
FROM (SELECT (SELECT moment FROM proved_until) AS moment) AS u

-- name: moment_before
-- The last moment up to $1, and whether it is proved.
SELECT m.at, {covered} AS covered FROM moments m WHERE m.at <= $1::timestamptz ORDER BY m.at DESC LIMIT 1

-- name: last_proved
-- The last moment from $1 to $2 that is proved, looked for from behind.
SELECT m.at, m.held_until FROM moments m WHERE m.at BETWEEN $1::timestamptz AND $2::timestamptz AND {covered}
ORDER BY m.at DESC LIMIT 1

-- name: prove_until
-- Up to which moment all is proved.
INSERT INTO proved_until (moment, held_until, proved_at) VALUES ($1, $2, clock_timestamp())
ON CONFLICT (alone) DO UPDATE SET moment = excluded.moment, held_until = excluded.held_until,
    proved_at = excluded.proved_at

-- name: still_proved
-- The moment stays: it was looked at again.
INSERT INTO proved_until (proved_at) VALUES (clock_timestamp())
ON CONFLICT (alone) DO UPDATE SET proved_at = excluded.proved_at

-- name: note_line
-- Why the line stands still: by the ledger's own word, or because nobody has looked at logs for so long ($1), though once a
-- second somebody is to. In words that stay the same while it does.
UPDATE proved_until SET line = coalesce((
    SELECT string_agg(CASE WHEN e.stopped <> '' THEN e.stopped
        ELSE 'partition ' || e.partition || ': no ledger has looked at it since '
            || to_char(e.read_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') END, '; ' ORDER BY e.partition)
    FROM log_ends e WHERE e.stopped <> '' OR e.read_at < clock_timestamp() - $1::interval), '')

-- name: unbalanced
-- Where the counts by tenant do not add up to those of their partition.
SELECT p.partition, p.booked, p.duplicate, p.conflict, p.rejected, coalesce(a.booked, 0) AS own_booked,
    coalesce(a.duplicate, 0) AS own_duplicate, coalesce(a.conflict, 0) AS own_conflict,
    coalesce(a.rejected, 0) AS own_rejected
FROM positions p LEFT JOIN (
    SELECT partition, sum(priced + free + reported + provisional + unpriced) AS booked, sum(duplicate) AS duplicate,
        sum(conflict) AS conflict, sum(rejected) AS rejected
    FROM accounting GROUP BY partition
) AS a USING (partition)
WHERE (p.booked, p.duplicate, p.conflict, p.rejected)
    IS DISTINCT FROM (a.booked, a.duplicate, a.conflict, a.rejected)
    AND p.next_origin > p.holes

-- name: known_by
-- What changes with each publication, and with each act on a period: by what entries are judged.
SELECT concat_ws(' ', (SELECT max(version) FROM catalog_publications),
    (SELECT concat_ws(' ', count(*), max(asked_at), max(reopened_at)) FROM period_closings),
    (SELECT max(closed_at) FROM closed_periods))

-- name: ahead
-- Rows that lie where the book has not come to yet.
SELECT e.tenant, e.identity, e.origin_partition, e.origin_offset
FROM positions p JOIN entries e ON e.origin_partition = p.partition AND e.origin_offset >= p.next_origin
WHERE e.recorded_at >= coalesce(
    (SELECT max(c.ended_at) FROM closed_accounts c WHERE c.partition = p.partition), '-infinity')
LIMIT 100

-- name: spans
-- How many events each minute has that is over, between $1 and $2, by its rollups.
SELECT bucket, sum(events)::bigint AS events FROM rollups_minute WHERE bucket >= $1 AND bucket < $2 GROUP BY 1 ORDER BY 1

-- name: first_minute
-- From when on minutes are to be held against their entries: which are there of minutes after the last month that is put
-- away, and the hour for which events may be recorded early.
SELECT greatest((SELECT min(bucket) FROM rollups_minute), (SELECT max(since) FROM minutes_kept),
    (SELECT (max(month) + interval '1 month 1 hour') AT TIME ZONE 'UTC' FROM archived_months))
