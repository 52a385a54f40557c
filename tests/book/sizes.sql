-- part: stated
-- Every entry with its sign and with what it is about: a reversal is about what its entry said last, and so is a
-- replacement that says nothing anew. Its lines are those of the entry that it takes back.
SELECT e.tenant, e.occurred_at, e.series_id, e.currency, e.seq, e.status, e.list, e.contracted, e.effective,
    CASE WHEN e.seq % 2 = 0 THEN 1 ELSE -1 END AS sign,
    coalesce(e.event, (
        SELECT s.event FROM entries s
        WHERE s.occurred_at = e.occurred_at AND s.identity = e.identity AND s.seq < e.seq AND s.event IS NOT NULL
        ORDER BY s.seq DESC LIMIT 1
    )) AS event,
    coalesce(e.lines, (
        SELECT s.lines FROM entries s
        WHERE s.occurred_at = e.occurred_at AND s.identity = e.identity AND s.seq = e.seq - 1
    )) AS lines
FROM entries e

-- part: sums
-- The columns of a rollup, but for quantities.
sum(events) AS events, sum(unpriced) AS unpriced, sum(list) AS list, sum(contracted) AS contracted,
    sum(effective) AS effective, sum(provisional) AS provisional

-- name: wrong_sizes
-- Where a rollup of any size, what corrections add to it apart, says something else than its entries do. Which minute
-- an entry lies in is asked once; the larger buckets are summed up from there, by the tenant's own calendar.
WITH stated AS ({stated}), minutes AS MATERIALIZED (
    SELECT tenant, date_trunc('minute', occurred_at) AS minute, series_id, currency, seq > 0 AS corrected,
        sum(sign) AS events, sum(sign) FILTER (WHERE status = 'unpriced') AS unpriced, sum(list) AS list,
        sum(contracted) AS contracted, sum(effective) AS effective,
        sum(effective) FILTER (WHERE status = 'provisional') AS provisional, {counted}
    FROM stated, LATERAL (SELECT event::jsonb #> '{data,usage}' AS usage OFFSET 0) AS quantities
    GROUP BY 1, 2, 3, 4, 5
), zoned AS (
    SELECT m.*, coalesce((
        SELECT zone FROM tenant_terms t
        WHERE t.tenant = m.tenant AND t.effective_from <= m.minute AND t.effective_to > m.minute
    ), 'UTC') AS zone
    FROM minutes m
), should AS (
    SELECT tenant, size, CASE size
            WHEN 'minute' THEN minute
            WHEN 'five_minutes' THEN date_bin('5 minutes', minute, 'epoch')
            WHEN 'hour' THEN date_trunc('hour', minute, zone)
            WHEN 'day' THEN date_trunc('day', minute, zone)
        END AS bucket, series_id, currency, corrected, {sums}, {summed}
    FROM zoned, unnest(ARRAY['minute', 'five_minutes', 'hour', 'day']) AS size
    GROUP BY 1, 2, 3, 4, 5, 6
), said AS (
    SELECT tenant, size, bucket, series_id, currency, corrected, {sums}, {held}
    FROM (
        SELECT tenant, size, bucket, series_id, currency, part = -1 AS corrected, events, unpriced_events AS unpriced,
            list, contracted, effective, of_which_provisional AS provisional, usage, {columns}
        FROM rollups
        UNION ALL
        SELECT tenant, 'minute', bucket, series_id, currency, shard = -1, events, unpriced_events, list, contracted,
            effective, of_which_provisional, usage, {columns}
        FROM rollups_minute
    ) AS rollup_rows
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT size, bucket, corrected, to_jsonb(said) AS said, to_jsonb(should) AS should
FROM said FULL JOIN should USING (tenant, size, bucket, series_id, currency, corrected)
WHERE {differs}
LIMIT 5

-- name: wrong_remarks
-- Where the money under a remark on a tier is something else than that of the entries whose lines have one.
WITH stated AS ({stated}), should AS (
    SELECT tenant, event::jsonb #>> '{data,provider}' AS provider,
        event::jsonb #>> '{data,context,service_tier}' AS tier, currency, seq > 0 AS corrected, sum(sign) AS events,
        sum(effective) AS effective
    FROM stated WHERE strpos(lines, '"remarks"') > 0
    GROUP BY 1, 2, 3, 4, 5
), said AS (
    SELECT tenant, provider, tier, currency, shard < 0 AS corrected, sum(events) AS events,
        sum(effective) AS effective
    FROM remarks_daily GROUP BY 1, 2, 3, 4, 5
)
SELECT * FROM said FULL JOIN should USING (tenant, provider, tier, currency, corrected)
WHERE (coalesce(said.events, 0), coalesce(said.effective, 0))
    <> (coalesce(should.events, 0), coalesce(should.effective, 0))
LIMIT 5

-- name: wrong_counts
-- What is counted beside the entries, and is not as many: each with how many there should be.
SELECT * FROM (VALUES
    ('identities', (SELECT count(*) FROM identities), (SELECT count(*) FROM entries WHERE seq = 0)),
    ('positions.booked', (SELECT sum(booked) FROM positions), (SELECT count(*) FROM entries WHERE seq = 0)),
    ('positions.next_origin', (SELECT sum(next_origin) FROM positions),
        (SELECT sum(booked + duplicate + conflict + rejected + holes) FROM positions)),
    ('accounting', (SELECT sum(priced + free + reported + provisional + unpriced) FROM accounting),
        (SELECT count(*) FROM entries WHERE seq = 0)),
    ('corrector.next_entry', (SELECT next_entry FROM corrector), (SELECT count(*) FROM entries WHERE seq > 0)),
    ('corrector.accepted', (SELECT accepted FROM corrector), (SELECT count(*) FROM corrections)),
    ('written by corrections', (SELECT sum(cardinality(seqs)) FROM corrections),
        (SELECT count(*) FROM entries e WHERE seq > 0
            AND (correction_id, tenant) IN (SELECT correction_id, tenant FROM corrections))),
    ('touched', (SELECT count(*) FROM touched), 0)
) AS counted (what, said, should)
WHERE coalesce(said, 0) <> coalesce(should, 0)
