-- name: hold
-- Until the transaction's end nobody else closes or reopens a period of this tenant, or sets a plan of it.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1634495599))

-- name: first_booked
-- When the first thing was booked that rollups know of; null = nothing was.
SELECT least((SELECT min(bucket) FROM rollups_minute WHERE tenant = $1),
    (SELECT min(bucket) FROM rollups WHERE tenant = $1 AND size = 'day')) AS at

-- name: closings
-- Every closing since month $1, the newest first, as far as it is.
SELECT c.period, c.number, c.note, c.closed_by, c.asked_at, d.closed_at, d.moment, c.reopened_by, c.reopened_at,
    c.reopen_reason
FROM period_closings c LEFT JOIN closed_periods d USING (tenant, period, number)
WHERE c.period >= $1 ORDER BY c.period DESC, c.number DESC LIMIT $2

-- name: sums
-- What periods since month $1 had when they were closed.
SELECT period, number, currency, events, list, contracted, effective FROM closing_sums
WHERE period >= $1 ORDER BY period, number, currency

-- name: carried_in
-- What was booked in periods since month $1 of earlier ones, by currency.
SELECT accounting_period AS period, currency, sum(events)::bigint AS events, sum(list) AS list,
    sum(contracted) AS contracted, sum(effective) AS effective
FROM carried WHERE accounting_period >= $1 GROUP BY accounting_period, currency ORDER BY accounting_period, currency

-- name: last_shut
-- The last period in which nothing is booked any more, and whether it is closed already; no row = all are open.
SELECT c.period, c.number, d.closed_at IS NOT NULL AS is_closed
FROM period_closings c LEFT JOIN closed_periods d USING (tenant, period, number)
WHERE c.reopened_at IS NULL ORDER BY c.period DESC LIMIT 1

-- name: closed_at
-- Since when period $1 was closed at $2; no row = it was open.
SELECT d.closed_at FROM period_closings c JOIN closed_periods d USING (tenant, period, number)
WHERE c.period = $1 AND d.closed_at <= $2 AND (c.reopened_at IS NULL OR c.reopened_at > $2)
ORDER BY c.number DESC LIMIT 1

-- name: close
-- From its commit on nothing more is booked in the period.
INSERT INTO period_closings (tenant, period, number, note, closed_by)
SELECT $1, $2, 1 + count(*), $3, $4 FROM period_closings WHERE period = $2

-- name: reopen
-- From its commit on what comes for the period is booked in it again. The closing stays.
UPDATE period_closings SET reopened_at = now(), reopened_by = $3, reopen_reason = $4
WHERE period = $1 AND number = $2 AND reopened_at IS NULL

