-- part: slice
-- The series of models that the filter $3 lets through, with their group: values of the dimensions $4.
slice AS MATERIALIZED (
    SELECT series_id, provider, sku, ARRAY(SELECT dimension(s, name) FROM unnest($4::text[]) AS name) AS key
    FROM series s WHERE tenant = $5 AND cost_class = 'model'
        AND NOT EXISTS (SELECT FROM jsonb_each($3::jsonb) AS f (name, values) WHERE NOT f.values ? dimension(s, f.name))
)

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

-- name: units
-- What models were used for in the days [$1, $2) of UTC, and what it cost, by group and currency, the dearest first; at most
-- $9, and how many there are. A request is stated, or an event is one, unless it is a row of a bill: what such a row costs
-- effectively beside its line stands in the cell without a unit. Unpriced: requests of events that have no price, or not of
-- all, and tokens that have none. $6 the units that are tokens, $7 those that are read from a
-- cache, $8 those that are written to one. What its input would have cost without any cache is at the price that
-- uncached input of the same model, served the same way, had on that day in this slice; where none was used, nobody knows.
WITH {slice}, used AS MATERIALIZED (
    SELECT day, series_id, tier, region, batch, currency, unit, status, sum(events) AS events, sum(quantity) AS quantity,
        sum(effective) AS effective
    FROM cells WHERE tenant = $5 AND day >= $1 AND day < $2 AND series_id IN (SELECT series_id FROM slice)
    GROUP BY day, series_id, tier, region, batch, currency, unit, status
), uncached AS MATERIALIZED (
    SELECT day, provider, sku, tier, region, batch, currency, sum(effective) / sum(quantity) AS price
    FROM used JOIN slice USING (series_id) WHERE unit = 'input_tokens' AND status = 'priced'
    GROUP BY day, provider, sku, tier, region, batch, currency HAVING sum(quantity) > 0
)
SELECT *, count(*) OVER () AS groups FROM (
    SELECT key, currency,
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
            AS uncached_not_compared_tokens
    FROM used JOIN slice USING (series_id) LEFT JOIN uncached USING (day, provider, sku, tier, region, batch, currency)
    GROUP BY key, currency HAVING sum(events) FILTER (WHERE unit = '') <> 0 OR sum(effective) <> 0
) AS found
ORDER BY cost DESC, requests DESC, currency, key LIMIT $9

-- name: calls
-- How calls of the same slice ended, by group: those that say so, and those that went well.
WITH {slice}
SELECT key, coalesce(sum(calls) FILTER (WHERE call_status <> ''), 0)::bigint AS attempts,
    coalesce(sum(calls) FILTER (WHERE call_status = 'ok'), 0)::bigint AS succeeded
FROM quality_hours q JOIN slice USING (series_id)
WHERE q.tenant = $5 AND hour >= $1::date::timestamp AT TIME ZONE 'UTC' AND hour < $2::date::timestamp AT TIME ZONE 'UTC'
GROUP BY key
