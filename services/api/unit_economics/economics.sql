-- part: used
-- What models were used for on the UTC days $1, in order, of which each is of the stretch $2, by series and day.
-- What input would have cost without any cache (`uncached`) is at the price that uncached input of the same model, served
-- the same way, had on that day in this slice; where none was used, nobody knows.
{slice}, used AS MATERIALIZED (
    SELECT place, day, series_id, tier, region, batch, currency, unit, status, sum(events) AS events,
        sum(quantity) AS quantity, sum(effective) AS effective
    FROM unnest($1::date[], $2::int[]) AS days (day, place) JOIN cells USING (day)
    WHERE tenant = $5 AND day = ANY ($1) AND series_id IN (SELECT series_id FROM slice)
    GROUP BY place, day, series_id, tier, region, batch, currency, unit, status
), {grouped}, uncached AS MATERIALIZED (
    SELECT day, provider, sku, tier, region, batch, currency, sum(effective) / sum(quantity) AS price
    FROM used JOIN grouped USING (series_id) WHERE unit = 'input_tokens' AND status = 'priced'
    GROUP BY day, provider, sku, tier, region, batch, currency HAVING sum(quantity) > 0
)

-- part: slice
-- The series of models that the filter $3 lets through; of tenant $5.
slice AS MATERIALIZED (
    SELECT series_id FROM series s
    WHERE tenant = $5 AND cost_class = 'model' AND ($3::jsonb = '{}'
        OR NOT EXISTS (SELECT FROM jsonb_each($3::jsonb) AS f (name, values) WHERE NOT f.values ? dimension(s, f.name)))
)

-- part: grouped
-- Those of them that `used` has, with their group: values of the dimensions $4. A series that was ever seen and was not
-- used in these days costs little here.
grouped AS MATERIALIZED (
    SELECT series_id, provider, sku, ARRAY(SELECT dimension(s, name) FROM unnest($4::text[]) AS name) AS key
    FROM series s WHERE tenant = $5 AND series_id = ANY (ARRAY(SELECT DISTINCT series_id FROM used))
)

-- part: figures
-- Of a group. A request is stated, or an event is one, unless it is a row of a bill: what such a row costs effectively beside
-- its line stands in the cell without a unit. Unpriced: requests of events that have no price, or not of all, and tokens that
-- have none. $6 the units that are tokens, $7 those that are read from a cache, $8 those
-- that are written to one. `booked`: events in all; a group without any, and without cost, is none.
coalesce(sum(quantity) FILTER (WHERE unit = 'requests'), 0) + coalesce(sum(events) FILTER (WHERE unit = ''), 0)
    - coalesce(sum(events) FILTER (WHERE unit IN ('requests', 'charge')), 0) AS requests,
coalesce(sum(quantity) FILTER (WHERE unit = 'requests' AND status = 'unpriced'), 0)
    + coalesce(sum(events) FILTER (WHERE unit = '' AND status = 'unpriced'), 0)
    - coalesce(sum(events) FILTER (WHERE unit = 'requests' AND status = 'unpriced'), 0) AS unpriced_requests,
coalesce(sum(quantity) FILTER (WHERE unit = ANY ($6::text[]) AND status = 'unpriced'), 0) AS unpriced_tokens,
coalesce(sum(effective) FILTER (WHERE unit = 'charge' OR (unit = '' AND status = 'reported')), 0) AS billed,
coalesce(sum(events) FILTER (WHERE unit = '' AND status = 'unpriced'), 0)::bigint AS unpriced_events,
coalesce(sum(effective) FILTER (WHERE status = 'provisional'), 0) AS of_which_provisional,
sum(effective) AS cost,
coalesce(sum(quantity) FILTER (WHERE unit = ANY ($6::text[])), 0) AS tokens,
coalesce(sum(quantity) FILTER (WHERE unit = 'input_tokens'), 0) AS uncached_tokens,
coalesce(sum(quantity) FILTER (WHERE unit = ANY ($7::text[])), 0) AS cache_read_tokens,
coalesce(sum(quantity) FILTER (WHERE unit = ANY ($8::text[])), 0) AS cache_written_tokens,
coalesce(sum(effective) FILTER (WHERE unit = ANY ($7 || $8) AND price IS NOT NULL AND status = 'priced'), 0)
    AS cached_cost,
coalesce(sum(quantity * price) FILTER (WHERE unit = ANY ($7 || $8) AND status = 'priced'), 0) AS cached_cost_without,
coalesce(sum(effective) FILTER (WHERE unit = 'input_tokens' AND status = 'priced'), 0) AS uncached_cost,
coalesce(sum(quantity) FILTER (WHERE unit = ANY ($7 || $8) AND (price IS NULL OR status <> 'priced')), 0)
    AS not_compared_tokens,
coalesce(sum(quantity) FILTER (WHERE unit = 'input_tokens' AND status NOT IN ('priced', 'free')), 0)
    AS uncached_not_compared_tokens,
coalesce(sum(events) FILTER (WHERE unit = ''), 0)::bigint AS booked
FROM used JOIN grouped USING (series_id) LEFT JOIN uncached USING (day, provider, sku, tier, region, batch, currency)

-- name: releases
-- Versions of workflows that came in the days [$1, $2), the newest first, at most $4; of the workflows and versions that $3
-- lets through. As versions side by side tell it (`workflow_days`): a version came on the day on which its first run ended.
SELECT workflow, version, day FROM (
    SELECT workflow, workflow_version AS version, (
        SELECT min(day) FROM workflow_days d WHERE d.workflow = w.workflow AND d.workflow_version = w.workflow_version
    ) AS day
    FROM workflow_days w
    WHERE day >= $1 AND day < $2 AND workflow_version <> ''
        AND ($3::jsonb -> 'workflow' IS NULL OR $3::jsonb -> 'workflow' ? workflow)
        AND ($3::jsonb -> 'workflow_version' IS NULL OR $3::jsonb -> 'workflow_version' ? workflow_version)
    GROUP BY workflow, workflow_version
) AS met WHERE day >= $1 ORDER BY day DESC, workflow, version LIMIT $4

-- name: by_hash
-- For the rest of the transaction: cells meet their series by hash. Series that are seconds old are in no statistics yet.
SELECT set_config('enable_nestloop', 'off', true)

-- name: folded
-- How often cells of tenant $1, and how its calls went, have changed on each of the UTC days [$2, $3).
SELECT day, projection, generation FROM folded_days WHERE tenant = $1 AND day >= $2 AND day < $3

-- name: units
-- What models were used for, and what it cost, by group and currency, the dearest first; at most $9, and how many there
-- are. Of one stretch.
WITH {used}
SELECT *, count(*) OVER () AS groups
FROM (SELECT key, currency, {figures} GROUP BY key, currency) AS found WHERE booked <> 0 OR cost <> 0
ORDER BY cost DESC, requests DESC, currency, key LIMIT $9

-- name: units_of_stretches
-- The same of each stretch, in no order; at most $9.
WITH {used}
SELECT place, key, currency, {figures} GROUP BY place, key, currency LIMIT $9

-- name: calls
-- How calls of the same slice ended in each stretch, by group: those that say so, and those that went well; at most $6.
WITH {slice}, used AS MATERIALIZED (
    SELECT place, series_id, coalesce(sum(calls) FILTER (WHERE call_status <> ''), 0)::bigint AS attempts,
        coalesce(sum(calls) FILTER (WHERE call_status = 'ok'), 0)::bigint AS succeeded
    FROM unnest($1::date[], $2::int[]) AS days (day, place) JOIN quality_hours ON (hour AT TIME ZONE 'UTC')::date = day
    WHERE tenant = $5 AND series_id IN (SELECT series_id FROM slice) AND hour >= ($1)[1]::timestamp AT TIME ZONE 'UTC'
        AND hour < (($1)[cardinality($1)] + 1)::timestamp AT TIME ZONE 'UTC'
    GROUP BY place, series_id
), {grouped}
SELECT place, key, sum(attempts)::bigint AS attempts, sum(succeeded)::bigint AS succeeded
FROM used JOIN grouped USING (series_id) GROUP BY place, key LIMIT $6
