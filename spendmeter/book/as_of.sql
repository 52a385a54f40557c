-- name: moment
-- The last moment up to $1, and the one after it. From here on the transaction's `spent_as_of` is of it.
SELECT m.at, (SELECT min(n.at) FROM moments n WHERE n.at > m.at) AS next_at, set_config('app.as_of', m.at::text, true)
FROM moments m WHERE m.at <= $1 ORDER BY m.at DESC LIMIT 1

-- name: remembered
-- Since when there are moments, up to when the last one is known to hold, and up to when the last one that is proved did;
-- null = there are none, or nothing is proved.
SELECT (SELECT min(at) FROM moments) AS since, (SELECT held_until FROM moments ORDER BY at DESC LIMIT 1) AS until,
    (SELECT held_until FROM proved_until) AS proved

-- name: to_read
-- How many entries of tenant $1 happened in [$2, $3), of more than $4 one more than these; and from which month of recording on
-- entries are there, once some are archived that had been booked since the first moment.
SELECT (SELECT count(*) FROM (SELECT FROM entries WHERE tenant = $1 AND occurred_at >= $2 AND occurred_at < $3
        AND recorded_on >= recorded_from($2) LIMIT $4 + 1) AS e) AS count,
    (SELECT min(to_date(right(c.relname, 6), 'YYYYMM')) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'entries'::regclass AND NOT i.inhdetachpending) AS kept_from, (SELECT min(at) FROM moments) AS since
