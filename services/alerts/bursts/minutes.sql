-- name: first_seen
-- When the tenant's first series was met: tells how much of its very first minute was seen.
SELECT min(first_seen) FROM series WHERE tenant = $1

-- name: bill_keys
-- Keys of all tenants that send bills.
SELECT tenant, key_id FROM bill_keys()

-- part: live
-- What is spent as it happens. Hourly accruals look like bursts at their minutes, and are none; budgets have them.
series_id <> ALL ((SELECT accrual_series($1))::bytea[])

-- name: active_minutes
-- The tenant's last $4 minutes with spend before $2 (none before $3), hopping from minute to minute along the key. What
-- accrues by the hour is no activity: between its minutes a sleeping tenant would look awake, and spend nothing. Nor are
-- bills, which come by keys of $5: a row's key is looked up, so that nothing but the order of the minutes is followed.
WITH RECURSIVE active AS (
    (SELECT bucket, 1 AS place FROM rollups_minute r
     WHERE tenant = $1 AND bucket < $2 AND bucket >= $3 AND {live} AND (
         SELECT key_id FROM series s WHERE s.tenant = $1 AND s.series_id = r.series_id) <> ALL ($5::text[])
     ORDER BY bucket DESC LIMIT 1)
    UNION ALL
    SELECT earlier.bucket, active.place + 1 FROM active, LATERAL (
        SELECT bucket FROM rollups_minute r
        WHERE tenant = $1 AND bucket < active.bucket AND bucket >= $3 AND {live} AND (
            SELECT key_id FROM series s WHERE s.tenant = $1 AND s.series_id = r.series_id) <> ALL ($5::text[])
        ORDER BY bucket DESC LIMIT 1
    ) AS earlier
    WHERE active.place < $4
)
SELECT bucket FROM active ORDER BY bucket

-- name: fold
-- What was spent in each minute of $3, by the dimensions that the detector names, as JSON. Of a tenant with more
-- than $4 combinations each dimension keeps its $5 largest values, and of what then are still too many the
-- largest stay: the rest keeps its money, and '' in place of what was folded. A correction counts, but adds nothing
-- to a minute from $6 on, which is under test, and while corrections are under way ($7) takes nothing from those
-- before, which teach: of what is half corrected nothing looks like a burst. Keys of $8 send bills.
WITH booked AS (
    SELECT bucket, series_id, sum(effective) AS effective, sum(of_which_provisional) AS provisional,
        sum(events) AS events, coalesce(sum(effective) FILTER (WHERE shard >= 0), 0) AS uncorrected
    FROM rollups_minute WHERE tenant = $1 AND currency = $2 AND bucket = ANY ($3::timestamptz[]) AND {live}
    GROUP BY bucket, series_id
), sums AS (
    SELECT bucket, series_id, provisional, events, CASE WHEN bucket >= $6 THEN least(effective, uncorrected)
        WHEN $7 THEN greatest(effective, uncorrected) ELSE effective END AS effective
    FROM booked
), named AS MATERIALIZED (
    SELECT bucket, agent, workflow, feature, key_id, team, sku, provider, sum(effective) AS effective,
        sum(provisional) AS provisional, sum(events) AS events
    FROM sums JOIN series s ON s.tenant = $1 AND s.series_id = sums.series_id AND s.key_id <> ALL ($8::text[])
    GROUP BY bucket, agent, workflow, feature, key_id, team, sku, provider
), many AS MATERIALIZED (
    SELECT count(*) > $4 AS so FROM named
), largest AS MATERIALIZED (
    SELECT dimension, value FROM (
        SELECT dimension, value,
            row_number() OVER (PARTITION BY dimension ORDER BY sum(effective) DESC, value) AS place
        FROM named, LATERAL (VALUES ('agent', agent), ('workflow', workflow), ('feature', feature),
            ('key_id', key_id), ('team', team), ('sku', sku), ('provider', provider)) AS d (dimension, value)
        WHERE (SELECT so FROM many)
        GROUP BY dimension, value
    ) AS ranked WHERE place <= $5
), folded AS (
    SELECT n.bucket, f.*, sum(effective) AS effective, sum(provisional) AS provisional, sum(events) AS events,
        row_number() OVER (PARTITION BY n.bucket ORDER BY sum(effective) DESC) <= $4 AS stays
    FROM named n, many, LATERAL (SELECT
        CASE WHEN NOT so OR agent IN (SELECT value FROM largest WHERE dimension = 'agent') THEN agent ELSE '' END,
        CASE WHEN NOT so OR workflow IN (SELECT value FROM largest WHERE dimension = 'workflow') THEN workflow
            ELSE '' END,
        CASE WHEN NOT so OR feature IN (SELECT value FROM largest WHERE dimension = 'feature') THEN feature
            ELSE '' END,
        CASE WHEN NOT so OR key_id IN (SELECT value FROM largest WHERE dimension = 'key_id') THEN key_id ELSE '' END,
        CASE WHEN NOT so OR team IN (SELECT value FROM largest WHERE dimension = 'team') THEN team ELSE '' END,
        CASE WHEN NOT so OR sku IN (SELECT value FROM largest WHERE dimension = 'sku') THEN sku ELSE '' END,
        CASE WHEN NOT so OR provider IN (SELECT value FROM largest WHERE dimension = 'provider') THEN provider
            ELSE '' END
    ) AS f (agent, workflow, feature, key_id, team, sku, provider)
    GROUP BY n.bucket, f.agent, f.workflow, f.feature, f.key_id, f.team, f.sku, f.provider
), whole AS (
    SELECT bucket, ARRAY[agent, workflow, feature, key_id, team, sku, provider] AS names, effective, provisional,
        events FROM folded WHERE stays
    UNION ALL
    SELECT bucket, array_fill(''::text, ARRAY[7]), sum(effective), sum(provisional), sum(events)
    FROM folded WHERE NOT stays GROUP BY bucket
)
SELECT bucket, json_agg(json_build_array(names, effective::text, provisional::text, events))::text AS spent
FROM whole GROUP BY bucket

-- name: explained
-- What anomalies explain teaches nothing: their scopes, the minutes in which they were hot, this time and before, with one
-- on either side, for a burst seldom begins with a minute; and what was usual in them. Nor does what was planned: in its
-- window usual is what was spent in the hour before. All of it in currency $3.
SELECT scope, date_trunc('minute', b.began) - interval '1 minute' AS first, b.ended + interval '1 minute' AS last,
    expected_per_hour / 60 AS usual
FROM incidents i CROSS JOIN LATERAL (
    SELECT i.began_at AS began, i.hot_at AS ended
    UNION ALL
    SELECT (e ->> 0)::timestamptz, (e ->> 1)::timestamptz FROM jsonb_path_query(i.details, '$.earlier.bursts[*]') e
) AS b
WHERE tenant = $1 AND kind = 'anomaly' AND currency = $3 AND hot_at >= $2 AND b.ended >= $2
UNION ALL
SELECT filter, date_trunc('minute', starts_at), least(ends_at, cancelled_at), coalesce((
    SELECT sum(effective) FROM rollups_minute r JOIN series s USING (tenant, series_id)
    WHERE r.tenant = $1 AND r.currency = $3 AND r.bucket >= w.starts_at - interval '1 hour' AND r.bucket < w.starts_at
        AND dimensions(s) @> w.filter
), 0) / 60
FROM planned_windows w
WHERE tenant = $1 AND starts_at <= now() AND ends_at >= $2 AND (cancelled_at IS NULL OR cancelled_at >= greatest($2, starts_at))
