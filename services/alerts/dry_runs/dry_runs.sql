-- name: claim
-- The one of tenants $2 that was asked for first and that nobody has in hand; a claim runs out, and a worker that died had
-- it.
UPDATE rule_dry_runs d SET state = 'running', attempts = attempts + 1, claimed_until = now() + $1::interval
FROM (
    SELECT tenant, id FROM rule_dry_runs
    WHERE state IN ('waiting', 'running') AND claimed_until <= now() AND tenant = ANY ($2::text[]) ORDER BY asked_at LIMIT 1 FOR UPDATE SKIP LOCKED
) AS due
WHERE d.tenant = due.tenant AND d.id = due.id
RETURNING d.tenant, d.id, d.rule_id, d.of, d.filter, d.settings, d.days, d.attempts, d.asked_at

-- name: advance
-- How far it is; it stays ours for as long again. Only while it is ours ($5 = its attempt).
UPDATE rule_dry_runs SET progress = greatest(progress, $3), claimed_until = now() + $4::interval
WHERE tenant = $1 AND id = $2 AND state = 'running' AND attempts = $5

-- name: finish
-- What came of it; under the same condition.
UPDATE rule_dry_runs SET state = 'done', progress = 1, result = $3, finished_at = now()
WHERE tenant = $1 AND id = $2 AND state = 'running' AND attempts = $4

-- name: give_up
-- Why nothing came of it.
UPDATE rule_dry_runs SET state = 'failed', error = $3, finished_at = now()
WHERE tenant = $1 AND id = $2 AND state = 'running' AND attempts = $4

-- name: ended_runs
-- Runs of tenant $1 in currency $2 that called last between $3 and $4, with $5 calls and $6 of money at least: the $7
-- dearest.
SELECT run, workflow, sum(events)::bigint AS calls, sum(effective) AS effective, min(first_at) AS first_at,
    max(last_at) AS last_at,
    EXISTS (SELECT FROM run_outcomes o WHERE o.tenant = $1 AND o.run = r.run AND o.count > 0)
        OR EXISTS (SELECT FROM outcomes o WHERE o.tenant = $1 AND o.run = r.run AND o.kind = 'outcome') AS has_outcome
FROM runs r WHERE tenant = $1 AND currency = $2 AND last_at >= $3 AND last_at < $4
GROUP BY run, workflow
HAVING sum(events) >= $5 AND sum(effective) >= $6
ORDER BY sum(effective) DESC, run LIMIT $7

-- name: new_values
-- What each value that was met first since $7 spent in its first two days, by the days of the pieces $2 to $4, in currency
-- $5, live alone (keys of $6 send bills, or accrue). The $8 dearest.
WITH sums AS MATERIALIZED (
    SELECT series_id, bucket, sum(effective) AS effective FROM spent($1, $2, $3, $4) WHERE currency = $5
    GROUP BY series_id, bucket
), named AS MATERIALIZED (
    SELECT dimension, value, s.series_id, s.provider, s.first_seen
    FROM series s CROSS JOIN LATERAL (
        VALUES ('sku', s.sku), ('provider', s.provider), ('key_id', s.key_id), ('agent', s.agent)
    ) AS n (dimension, value)
    WHERE s.tenant = $1 AND value <> '' AND s.key_id <> ALL ($6::text[])
        AND s.series_id <> ALL ((SELECT accrual_series($1))::bytea[])
), met AS MATERIALIZED (
    SELECT dimension, value, min(provider) AS provider, min(first_seen) AS first_seen FROM named
    GROUP BY dimension, value HAVING min(first_seen) >= $7
)
SELECT dimension, value, met.provider, met.first_seen, sum(effective) AS effective
FROM met JOIN named USING (dimension, value) JOIN sums USING (series_id)
WHERE bucket < met.first_seen + interval '2 days'
GROUP BY dimension, value, met.provider, met.first_seen
ORDER BY sum(effective) DESC, dimension, value LIMIT $8

-- name: budget_parts
-- What each of $7's filters came to in each part of tenant $1's time, read in the pieces $2 to $4, in currency $6: $5 holds
-- the edges of the parts. `live`: by no bill (keys of $8 send them), and without what corrections added. Summed by series
-- first, so that a filter looks at a series once.
WITH sums AS MATERIALIZED (
    SELECT series_id, ($5::timestamptz[])[width_bucket(bucket, $5::timestamptz[])] AS at, sum(effective) AS whole,
        sum(effective) - greatest(sum(corrected), 0) AS live
    FROM spent($1, $2, $3, $4) WHERE currency = $6 GROUP BY series_id, at
)
SELECT place::int, at, sum(whole) AS whole,
    coalesce(sum(live) FILTER (WHERE s.key_id <> ALL ($8::text[])), 0) AS live
FROM series_within($1, ARRAY(SELECT DISTINCT series_id FROM sums), $7::jsonb[]) AS w
    JOIN sums USING (series_id) JOIN series s USING (series_id)
WHERE s.tenant = $1 GROUP BY place, at

-- name: heard_minutes
-- Which of keys $4 of tenant $1 sent in each minute of [$2, $3), of series with the values $5.
WITH active AS MATERIALIZED (
    SELECT DISTINCT bucket, series_id FROM rollups_minute
    WHERE tenant = $1 AND bucket >= $2 AND bucket < $3 AND events > 0
)
SELECT bucket AS minute, array_agg(DISTINCT key_id) AS keys
FROM active JOIN series s USING (series_id)
WHERE s.tenant = $1 AND key_id = ANY ($4::text[]) AND ($5::jsonb = '{}' OR dimensions(s) @> $5) GROUP BY bucket

-- name: past_hours
-- Hours of [$2, $3) in which keys of tenant $1 spent past reservations in currency $4, in their order: when the first of it
-- happened, and the last was counted. Not keys of $5 (bills, accruals); the newest $6.
SELECT * FROM (
    SELECT hour, key_id, min(first_at) AS first_at, max(counted_at) AS counted_at FROM unreserved
    WHERE tenant = $1 AND hour >= $2 AND hour < $3 AND currency = $4 AND key_id <> ALL ($5::text[])
    GROUP BY hour, key_id ORDER BY hour DESC, key_id LIMIT $6
) AS newest ORDER BY hour, key_id

-- name: unbooked_ends
-- The ends of minutes in [$2, $3] with which, in the $5 minutes before, at least $4 events of one key of tenant $1 were
-- rejected or in conflict: which of these are told a look at each says.
WITH minutes AS MATERIALIZED (
    SELECT key_id, date_trunc('minute', recorded_at, 'UTC') AS minute, count(*) AS events FROM unbooked
    WHERE tenant = $1 AND outcome <> 'duplicate' AND recorded_at < $3
        AND recorded_at >= $2::timestamptz - make_interval(mins => $5)
    GROUP BY key_id, minute
), ends AS (
    SELECT minute + make_interval(mins => number) AS "end" FROM minutes CROSS JOIN generate_series(1, $5) AS number
    GROUP BY key_id, "end" HAVING sum(events) >= $4
)
SELECT DISTINCT "end" FROM ends WHERE "end" > $2 AND "end" <= $3 ORDER BY "end"
