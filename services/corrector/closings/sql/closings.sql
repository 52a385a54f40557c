-- name: begin
-- Closings that nobody has begun. The barrier is read after the closing was committed, for it is seen here: whoever books
-- without knowing of it began before.
INSERT INTO closed_periods (tenant, period, number, barrier)
SELECT c.tenant, c.period, c.number, pg_snapshot_xmax(pg_current_snapshot()) FROM period_closings c
WHERE c.reopened_at IS NULL
    AND NOT EXISTS (SELECT FROM closed_periods d WHERE (d.tenant, d.period, d.number) = (c.tenant, c.period, c.number))
ON CONFLICT DO NOTHING

-- name: waiting
-- Those under way: whether all who might not know of them have committed, or have not and never will; and since when.
SELECT tenant, period, number, pg_snapshot_xmin(pg_current_snapshot()) >= barrier AS passed, begun_at
FROM closed_periods WHERE closed_at IS NULL ORDER BY begun_at

-- name: sums
-- What a period has: of its days ($2 to $4; from $5 until $6) without what was carried out of them, and what was carried
-- into it ($7).
SELECT currency, sum(events)::bigint AS events, sum(list) AS list, sum(contracted) AS contracted, sum(effective) AS effective
FROM (
    SELECT currency, events, list, contracted, effective FROM spent($1, $2, $3, $4)
    UNION ALL
    SELECT currency, -events, -list, -contracted, -effective FROM carried
    WHERE tenant = $1 AND bucket >= $5 AND bucket < $6
    UNION ALL
    SELECT currency, events, list, contracted, effective FROM carried WHERE tenant = $1 AND accounting_period = $7
) AS parts
GROUP BY currency HAVING sum(events) <> 0 OR sum(list) <> 0 OR sum(contracted) <> 0 OR sum(effective) <> 0
ORDER BY currency

-- name: put_sums
-- What it comes to, in one currency.
INSERT INTO closing_sums (tenant, period, number, currency, events, list, contracted, effective)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: close
-- It is closed: no row where another corrector was first.
UPDATE closed_periods SET closed_at = clock_timestamp()
WHERE tenant = $1 AND period = $2 AND number = $3 AND closed_at IS NULL

-- name: name_moments
-- Of what is closed the first moment of the book that was known to hold after it.
UPDATE closed_periods c SET moment = m.at
FROM (SELECT at, held_until FROM moments) AS m
WHERE c.closed_at IS NOT NULL AND c.moment IS NULL AND m.held_until >= c.closed_at
    AND NOT EXISTS (SELECT FROM moments n WHERE n.held_until >= c.closed_at AND n.at < m.at)
