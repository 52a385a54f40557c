-- part: added_up
-- To a row r that there is already.
ON CONFLICT (tenant, recorded_on, shard, provider, batch, tier, region, currency) DO UPDATE SET
    events = r.events + excluded.events,
    effective = r.effective + excluded.effective,
    first_at = least(r.first_at, excluded.first_at),
    last_at = greatest(r.last_at, excluded.last_at)

-- name: add_to_remarks
-- Of what was claimed: the money at prices that do not say how it was served. Of a tenant, a day and a shard the
-- first $2 spellings have a row of their own, and what comes after them is in rows of the provider '', which no
-- event can name: one of each kinds that are remarked. Who writes a shard holds it, so nobody else counts here.
WITH added AS (
    SELECT n.*, r.tenant IS NULL AS is_new
    FROM unnest($3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[], $8::text[], $9::bigint[], $10::text[],
        $11::timestamptz[], $12::timestamptz[]) WITH ORDINALITY
        AS n (tenant, provider, batch, tier, region, currency, events, effective, first_at, last_at, place)
        LEFT JOIN remarks_daily r ON (r.recorded_on, r.shard) = ((now() AT TIME ZONE 'UTC')::date, $1)
            AND (r.tenant, r.provider, r.batch, r.tier, r.region, r.currency)
                = (n.tenant, n.provider, n.batch, n.tier, n.region, n.currency)
), known AS (
    SELECT tenant, (SELECT count(*) FROM remarks_daily r
        WHERE (r.tenant, r.recorded_on, r.shard) = (a.tenant, (now() AT TIME ZONE 'UTC')::date, $1)
            AND r.provider <> '') AS spellings
    FROM added a WHERE is_new GROUP BY tenant
), placed AS (
    SELECT a.*, NOT is_new
        OR k.spellings + row_number() OVER (PARTITION BY tenant, is_new ORDER BY place) <= $2 AS fits
    FROM added a LEFT JOIN known k USING (tenant)
)
INSERT INTO remarks_daily AS r (recorded_on, shard, tenant, provider, batch, tier, region, currency, events,
    effective, first_at, last_at)
SELECT (now() AT TIME ZONE 'UTC')::date, $1, tenant, CASE WHEN fits THEN provider ELSE '' END, batch,
    CASE WHEN fits OR tier = '' THEN tier ELSE 'other' END,
    CASE WHEN fits OR region = '' THEN region ELSE 'other' END,
    currency, sum(events)::bigint, sum(effective::numeric), min(first_at), max(last_at)
FROM placed GROUP BY 3, 4, 5, 6, 7, 8
{added_up}

-- name: take_from_remarks
-- In shard $1, what entries of the days $2 in the shards $3 once added. An event had a row of its spelling where there
-- is one now: what came when the day's were full is among the others. So each figure is the sum of what counts; how many
-- rows there are, those that are taken from bound.
INSERT INTO remarks_daily AS r (recorded_on, shard, tenant, provider, batch, tier, region, currency, events,
    effective, first_at, last_at)
SELECT (now() AT TIME ZONE 'UTC')::date, $1, tenant, CASE WHEN is_own THEN provider ELSE '' END, batch,
    CASE WHEN is_own OR tier = '' THEN tier ELSE 'other' END,
    CASE WHEN is_own OR region = '' THEN region ELSE 'other' END,
    currency, sum(events)::bigint, sum(effective::numeric), min(first_at), max(last_at)
FROM unnest($2::date[], $3::int[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::text[], $9::text[],
    $10::bigint[], $11::text[], $12::timestamptz[], $13::timestamptz[])
        AS n (of_day, of_shard, tenant, provider, batch, tier, region, currency, events, effective, first_at, last_at),
    LATERAL (SELECT EXISTS (
        SELECT FROM remarks_daily o
        WHERE (o.tenant, o.recorded_on, o.shard, o.provider, o.batch, o.tier, o.region, o.currency)
            = (n.tenant, n.of_day, n.of_shard, n.provider, n.batch, n.tier, n.region, n.currency)
    )) AS placed (is_own)
GROUP BY 3, 4, 5, 6, 7, 8
{added_up}
