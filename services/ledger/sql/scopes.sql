-- name: alone
-- Whether this transaction alone adds scopes up: where several workers run, one of them does.
SELECT pg_try_advisory_xact_lock(hashtext('spendmeter.scope_hours'))

-- name: due
-- Hours whose scopes are to be added up, the newest first: those that were marked so long ago ($2), and of what is
-- imported, hours that were over by $4 of which nothing is added up, once they rest for $3.
SELECT tenant, bucket FROM scope_hours_due d GROUP BY tenant, bucket
HAVING min(marked_at) <= now() - $2::interval
    OR bucket < $4 AND max(marked_at) <= now() - $3::interval
        AND NOT EXISTS (SELECT FROM scope_hours s WHERE s.tenant = d.tenant AND s.bucket = d.bucket)
ORDER BY bucket DESC LIMIT $1

-- name: take
-- The marks on tenant $1's hour $2 go before it is read: what changes it meanwhile leaves one of its own.
DELETE FROM scope_hours_due WHERE tenant = $1 AND bucket = $2

-- name: forget
-- What its scopes came to by then, and what is older than $3.
DELETE FROM scope_hours WHERE tenant = $1 AND (bucket = $2 OR bucket < $3)

-- name: make
-- Of each watched dimension the $3 values of tenant $1 with the most money in the hour $2, by the $4 largest skus; the
-- others in one row. Live spend alone. What an event does not name belongs to no scope but the tenant.
WITH sums AS MATERIALIZED (
    SELECT series_id, currency, sum(events) AS events, sum(unpriced_events) AS unpriced_events,
        sum(effective) AS effective, sum(of_which_provisional) AS of_which_provisional, {unit_sums}
    FROM rollups WHERE tenant = $1 AND size = 'hour' AND bucket = $2
        AND series_id <> ALL ((SELECT accrual_series($1))::bytea[])
    GROUP BY series_id, currency
), live AS MATERIALIZED (
    SELECT sums.*, s.provider, s.sku, s.own, s.team, s.project, s.feature, s.workflow, s.agent, s.key_id
    FROM sums JOIN series s ON s.tenant = $1 AND s.series_id = sums.series_id
    WHERE s.key_id NOT IN (SELECT key_id FROM bill_keys() AS b WHERE b.tenant IN ($1, $5))
), skus AS MATERIALIZED (
    SELECT provider, sku FROM live GROUP BY provider, sku ORDER BY sum(effective) DESC, provider, sku LIMIT $4
), named AS MATERIALIZED (
    SELECT dimension, value, coalesce(k.provider, '') AS provider, coalesce(k.sku, '') AS sku, currency,
        sum(events) AS events, sum(unpriced_events) AS unpriced_events, sum(effective) AS effective,
        sum(of_which_provisional) AS of_which_provisional, {unit_sums}
    FROM live l LEFT JOIN skus k ON (k.provider, k.sku) = (l.provider, l.sku) CROSS JOIN LATERAL (
        VALUES ('team', team), ('project', project), ('feature', feature), ('workflow', workflow), ('agent', agent),
            ('sku', l.sku), ('provider', l.provider), ('key_id', key_id)
        UNION ALL SELECT key, value FROM jsonb_each_text(own)
        UNION ALL SELECT 'tenant', NULL
    ) AS d (dimension, value)
    WHERE value IS DISTINCT FROM ''
    GROUP BY dimension, value, k.provider, k.sku, currency
), largest AS MATERIALIZED (
    SELECT dimension, value FROM (
        SELECT dimension, value, row_number() OVER (PARTITION BY dimension ORDER BY sum(effective) DESC, value) AS place
        FROM named WHERE value IS NOT NULL GROUP BY dimension, value
    ) AS ranked WHERE place <= $3
)
INSERT INTO scope_hours (tenant, bucket, dimension, value, provider, sku, currency, events, unpriced_events, effective,
    of_which_provisional, {units})
SELECT $1, $2, n.dimension, coalesce(g.value, ''), provider, sku, currency, sum(events)::bigint,
    sum(unpriced_events)::bigint, sum(effective), sum(of_which_provisional), {unit_sums}
FROM named n LEFT JOIN largest g ON (g.dimension, g.value) = (n.dimension, n.value)
GROUP BY n.dimension, g.value, provider, sku, currency

-- name: missing
-- Whose hours from before $1 come next.
SELECT tenant, least(until, $1::timestamptz) AS until FROM scope_hours_missing ORDER BY until DESC, tenant LIMIT 1

-- name: mark_missing
-- The hours of tenant $1 in [$2, $3) are to be added up.
INSERT INTO scope_hours_due (tenant, bucket)
SELECT DISTINCT tenant, bucket FROM rollups WHERE tenant = $1 AND size = 'hour' AND bucket >= $2 AND bucket < $3

-- name: marked
-- Those of tenant $1 before $2 are marked.
UPDATE scope_hours_missing SET until = $2 WHERE tenant = $1

-- name: all_marked
-- Nothing of tenant $1 is missing.
DELETE FROM scope_hours_missing WHERE tenant = $1
