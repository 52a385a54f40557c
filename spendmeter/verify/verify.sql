-- name: positions
-- How far each partition of the book has come, and what it counted on the way.
SELECT * FROM positions

-- name: entries
-- Every booked row in the order of the topic, streamed. No index has this order: Postgres sorts, on disk.
SELECT e.identity, e.seq, e.occurred_at, e.origin_partition, e.origin_offset, e.tenant, e.series_id, e.status,
    e.currency, e.list::text AS list, e.contracted::text AS contracted, e.effective::text AS effective, e.event,
    e.lines, e.accounting_period, CASE WHEN l.identity IS NOT NULL THEN e.catalog_version END AS late_version,
    e.recorded_at
FROM entries e LEFT JOIN late_rated l ON l.identity = e.identity AND e.seq = 0
WHERE e.origin_partition >= 0 ORDER BY e.origin_partition, e.origin_offset, e.seq

-- name: entries_within
-- Booked rows of a window [$2, $3) of partition $1, recorded since $4, when its account was opened; and where their identity
-- was claimed.
SELECT e.identity, e.seq, e.occurred_at, e.origin_partition, e.origin_offset, e.tenant, e.series_id, e.status,
    e.currency, e.list::text AS list, e.contracted::text AS contracted, e.effective::text AS effective, e.event,
    e.lines, e.accounting_period, CASE WHEN l.identity IS NOT NULL THEN e.catalog_version END AS late_version,
    e.recorded_at, i.origin_partition AS claimed_partition, i.origin_offset AS claimed_offset
FROM entries e LEFT JOIN late_rated l ON l.identity = e.identity AND e.seq = 0
    LEFT JOIN identities i ON i.identity = e.identity
WHERE e.origin_partition = $1 AND e.origin_offset >= $2 AND e.origin_offset < $3 AND e.recorded_at >= $4
ORDER BY e.origin_offset, e.seq

-- part: setting_aside
-- What was set aside, with the event that was booked in its stead.
SELECT u.origin_topic, u.origin_partition, u.origin_offset, u.outcome, u.tenant, u.identity, u.source,
    u.event_id, e.origin_partition AS won_partition, e.origin_offset AS won_offset, e.event AS won_event,
    ARRAY(SELECT a.event FROM entries a
        WHERE a.occurred_at = e.occurred_at AND a.identity = e.identity AND a.seq > 0 AND a.event IS NOT NULL) AS amended,
    EXISTS (SELECT FROM corrected_identities c WHERE c.identity = u.identity AND c.retracted_at < u.recorded_at) AS retracted,
    e.identity IS NULL AND EXISTS (SELECT FROM archived_months m WHERE m.month = date_trunc('month', i.recorded_on)::date)
        AS is_put_away
FROM unbooked u
LEFT JOIN identities i ON i.identity = u.identity AND u.outcome IN ('duplicate', 'conflict')
LEFT JOIN entries e
    ON e.identity = i.identity AND e.occurred_at = i.occurred_at AND e.recorded_on = i.recorded_on AND e.seq = 0

-- name: unbooked_within
-- Those of a window [$2, $3) of partition $1 of the topic $4.
{setting_aside}
WHERE u.outcome <> 'stray' AND u.origin_topic = $4 AND u.origin_partition = $1 AND u.origin_offset >= $2
    AND u.origin_offset < $3
ORDER BY u.origin_offset

-- name: unbooked
-- Every offset that was set aside, in the order of the topic, with the event that was booked in its stead.
{setting_aside}
WHERE u.outcome <> 'stray' ORDER BY u.origin_partition, u.origin_offset

-- name: strays
-- Records that somebody put on usage.rated itself.
SELECT origin_partition, count(*) FROM unbooked WHERE outcome = 'stray' GROUP BY 1

-- name: identities
-- Claims without the entry that they stand for.
SELECT i.identity, i.occurred_at, i.origin_partition, i.origin_offset FROM identities i
WHERE NOT EXISTS (
    SELECT FROM entries e
    WHERE e.identity = i.identity AND e.occurred_at = i.occurred_at AND e.recorded_on = i.recorded_on AND e.seq = 0)

-- name: unclaimed
-- Entries whose identity nobody claimed, so that the next copy would be booked again, or another claimed.
SELECT e.identity, e.occurred_at, e.origin_partition, e.origin_offset,
    i.origin_partition AS other_partition, i.origin_offset AS other_offset
FROM entries e LEFT JOIN identities i ON i.identity = e.identity
WHERE e.seq = 0 AND (e.occurred_at, e.recorded_on, e.origin_partition, e.origin_offset)
    IS DISTINCT FROM (i.occurred_at, i.recorded_on, i.origin_partition, i.origin_offset)
    AND NOT (i.identity IS NULL AND e.recorded_on < {forgotten})

-- name: archived_months
-- Months that are no part of the book, and where they lie.
SELECT month, entries, file, sha256 FROM archived_months
WHERE month NOT IN (SELECT m FROM entries_months() AS m) ORDER BY month

-- name: archived_table
-- Rows of files, as they lie there and as the book has them; for this connection alone.
CREATE TEMPORARY TABLE archived (LIKE public.entries);
CREATE TEMPORARY TABLE archived_text (LIKE public.entries);
ALTER TABLE archived_text ALTER COLUMN list TYPE text, ALTER COLUMN contracted TYPE text, ALTER COLUMN effective TYPE text

-- name: archived_fill
-- With numbers again.
INSERT INTO archived ({columns})
SELECT {columns_read} FROM archived_text;
TRUNCATE archived_text

-- name: archived_count
-- How many there are.
SELECT count(*) FROM archived

-- name: all_entries
-- Whoever says `entries` on this connection means these from here on.
CREATE TEMPORARY VIEW entries AS SELECT {columns} FROM public.entries UNION ALL SELECT {columns} FROM archived;
ANALYZE archived

-- part: columns
-- All of an entry's.
occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, recorded_on, seq, identity,
    series_id, tenant, status, currency, list, contracted, effective, event, lines, correction_id

-- part: columns_read
-- The same, out of texts.
occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, recorded_on, seq, identity,
    series_id, tenant, status, currency, list::numeric, contracted::numeric, effective::numeric, event, lines, correction_id

-- part: forgotten
-- Before this day identities are forgotten: 431 days after they were claimed.
((now() AT TIME ZONE 'UTC')::date - 431)

-- name: series
-- What these series stand for.
SELECT tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, workflow_version, agent,
    environment, key_id, own::text
FROM series JOIN unnest($1::text[], $2::bytea[]) AS wanted (tenant, series_id) USING (tenant, series_id)

-- name: rates
-- Every exchange rate that the catalog ever stated.
SELECT id, body FROM catalog_entries WHERE type = 'spendmeter.catalog.fx.v1'

-- name: terms
-- Every statement of terms that the catalog ever made, and what withdraws them.
SELECT id, version, type, body FROM catalog_entries
WHERE type IN ('spendmeter.catalog.tenant.v1', 'spendmeter.catalog.withdrawal.v1')

-- name: tenant_terms
-- The stretches that ledger, api and alerts read; null = from the beginning, or until further notice.
SELECT tenant, nullif(effective_from, '-infinity') AS effective_from, nullif(effective_to, 'infinity') AS effective_to,
    currency, zone, first_weekday, fiscal_start_month, entry, version
FROM tenant_terms

-- part: correcting
-- Entries that correct, each beside the one before it (for a reversal: its target).
SELECT e.identity, e.seq, e.occurred_at, e.origin_partition, e.origin_offset, e.tenant, e.series_id, e.status,
    e.currency, e.list::text AS list, e.contracted::text AS contracted, e.effective::text AS effective,
    {about} AS event, coalesce(e.lines, '[]') AS lines, e.accounting_period, NULL AS late_version,
    e.recorded_at,
    t.seq IS NOT NULL AS follows,
    e.tenant IS NOT DISTINCT FROM t.tenant AS is_of_the_same, t.accounting_period AS period_before,
    (e.series_id, e.status, e.currency, e.catalog_version, e.list, e.contracted, e.effective)
        IS NOT DISTINCT FROM
        (t.series_id, t.status, t.currency, t.catalog_version, -t.list, -t.contracted, -t.effective) AS is_minus
FROM entries e LEFT JOIN entries t ON t.occurred_at = e.occurred_at AND t.identity = e.identity AND t.seq = e.seq - 1

-- name: corrections
-- Every entry that corrects, in the order in which they were written.
{correcting} WHERE e.origin_partition < 0 ORDER BY e.origin_offset

-- name: corrections_within
-- Those that are numbered in [$1, $2).
{correcting} WHERE e.origin_partition = -1 AND e.origin_offset >= $1 AND e.origin_offset < $2
ORDER BY e.origin_offset

-- name: corrector
-- What the corrector has counted, beside the rows.
SELECT coalesce(max(next_entry), 0) AS next_entry, (SELECT count(*) FROM entries WHERE origin_partition < 0) AS entries,
    coalesce(max(accepted), 0) AS accepted, (SELECT count(*) FROM corrections) AS corrections
FROM corrector

-- name: corrections_unwritten
-- Corrections that are called applied and have no such entries, and entries of corrections that are not. What was
-- asked for under the id of a re-rate was refused: those entries are the re-rate's. Of an identity that is forgotten there
-- is nothing to find them by.
SELECT c.correction_id, c.tenant, c.source, c.event_id, c.state FROM corrections c
WHERE (c.state = 'applied') IS DISTINCT FROM (cardinality(c.seqs) > 0) OR c.seqs IS DISTINCT FROM ARRAY(
    SELECT e.seq FROM identities i JOIN entries e ON e.occurred_at = i.occurred_at AND e.identity = i.identity
    WHERE i.identity = c.identity AND e.correction_id = c.correction_id ORDER BY e.seq)
    AND (c.state <> 'applied' OR EXISTS (SELECT FROM identities i WHERE i.identity = c.identity))
    AND NOT (c.state = 'refused' AND EXISTS (
        SELECT FROM rerate_jobs j WHERE j.tenant = c.tenant AND j.rerate_id = c.correction_id))

-- name: supersessions
-- What was booked in the place of something else, beside what its event says; either side may be missing.
SELECT identity, e.event, s.tenant, s.superseded, s.source, s.event_id
FROM (
    SELECT identity, event FROM entries
    WHERE seq = 0 AND (strpos(event, '"supersedes"') > 0 OR identity IN (SELECT identity FROM supersessions))
) AS e FULL JOIN supersessions s USING (identity)

-- name: retracted
-- Events that are called retracted and count, and events that do not count and are not called so.
SELECT identity FROM (
    SELECT DISTINCT ON (occurred_at, identity) identity, seq FROM entries
    WHERE identity IN (SELECT identity FROM entries WHERE origin_partition < 0)
    ORDER BY occurred_at, identity, seq DESC
) AS i FULL JOIN (SELECT identity FROM corrected_identities WHERE retracted_at IS NOT NULL) AS r USING (identity)
WHERE (r.identity IS NOT NULL) IS DISTINCT FROM (coalesce(i.seq, 0) % 2 = 1)

-- name: minutes_kept
-- From when on there are minutes; null where all are there.
SELECT max(since) FROM minutes_kept

-- name: hold_minutes
-- Before the snapshot is taken: nobody drops minutes that it says are there, until all is compared.
LOCK TABLE ONLY rollups_minute IN ACCESS SHARE MODE

-- name: rollups_count
-- How many rollup rows are compared.
SELECT (SELECT count(*) FROM rollups_minute WHERE bucket >= {kept_since})
    + (SELECT count(*) FROM rollups WHERE size = 'hour' AND bucket < {kept_since})

-- name: rollup_faults
-- Rollup rows of the minutes in [$1, $2) that are not the sum of their entries, and sums that have no row; both sides of
-- each.
WITH sums AS (
    SELECT tenant, date_trunc('minute', occurred_at) AS bucket, series_id,
        CASE seq WHEN 0 THEN origin_partition ELSE -1 END AS shard,
        (recorded_at AT TIME ZONE 'UTC')::date AS recorded_on, currency,
        sum(CASE WHEN seq < 0 THEN 0 ELSE 1 - 2 * (seq % 2) END) AS events,
        coalesce(sum(1 - 2 * (seq % 2)) FILTER (WHERE status = 'unpriced'), 0) AS unpriced_events,
        sum(list) AS list, sum(contracted) AS contracted, sum(effective) AS effective,
        coalesce(sum(effective) FILTER (WHERE status = 'provisional'), 0) AS of_which_provisional
    FROM entries WHERE occurred_at >= greatest($1, {kept_since}) AND occurred_at < $2 GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT tenant, bucket, series_id, shard, recorded_on, currency, r.tenant IS NULL AS missing,
    ARRAY[r.events, r.unpriced_events, r.list, r.contracted, r.effective, r.of_which_provisional] AS said,
    ARRAY[s.events, s.unpriced_events, s.list, s.contracted, s.effective, s.of_which_provisional] AS should
FROM sums s FULL JOIN (
        SELECT * FROM rollups_minute WHERE bucket >= greatest($1, {kept_since}) AND bucket < $2
    ) AS r
    USING (tenant, bucket, series_id, shard, recorded_on, currency)
WHERE (s.events, s.unpriced_events, s.list, s.contracted, s.effective, s.of_which_provisional)
    IS DISTINCT FROM
    (r.events, r.unpriced_events, r.list, r.contracted, r.effective, r.of_which_provisional)

-- part: placed
-- In which hour each minute lies that has entries and comes before minutes are kept, or in an hour that began before.
-- An hour ends where the next one begins, or after an hour: so no calendar is needed. In none: the minute itself.
lies_in AS (
    SELECT tenant, at, max(start) OVER (PARTITION BY tenant ORDER BY at, start ROWS UNBOUNDED PRECEDING) AS start
    FROM (
        SELECT DISTINCT tenant, date_trunc('minute', occurred_at) AS at, NULL::timestamptz AS start FROM entries
        WHERE occurred_at < {kept_since} + interval '1 hour'
        UNION ALL
        SELECT DISTINCT tenant, bucket, bucket FROM rollups
        WHERE size = 'hour' AND bucket < {kept_since} + interval '1 hour'
    ) AS every
), placed AS (
    SELECT tenant, at, coalesce(max(CASE WHEN at < start + interval '1 hour' THEN start END), at) AS hour
    FROM lies_in GROUP BY tenant, at
)

-- part: waits_in_hour
-- Whether something in the bucket waits to be rolled up: nobody believes it.
EXISTS (SELECT FROM touched t WHERE t.tenant = r.tenant AND t.size <> 'day' AND t.bucket >= r.bucket
        AND t.bucket < r.bucket + interval '1 hour')

-- name: dropped_faults
-- Where minutes are dropped: hours, with all their parts, that are not the sum of their entries, and sums that have
-- none.
WITH {placed}, sums AS (
    SELECT e.tenant, p.hour AS bucket, e.series_id, e.currency,
        sum(CASE WHEN e.seq < 0 THEN 0 ELSE 1 - 2 * (e.seq % 2) END) AS events,
        coalesce(sum(1 - 2 * (e.seq % 2)) FILTER (WHERE e.status = 'unpriced'), 0) AS unpriced_events,
        sum(e.list) AS list, sum(e.contracted) AS contracted, sum(e.effective) AS effective,
        coalesce(sum(e.effective) FILTER (WHERE e.status = 'provisional'), 0) AS of_which_provisional
    FROM entries e JOIN placed p ON (p.tenant, p.at) = (e.tenant, date_trunc('minute', e.occurred_at))
    WHERE p.hour < {kept_since} AND e.occurred_at < {kept_since} + interval '1 hour' GROUP BY 1, 2, 3, 4
), said AS (
    SELECT tenant, bucket, series_id, currency, sum(events) AS events, sum(unpriced_events) AS unpriced_events,
        sum(list) AS list, sum(contracted) AS contracted, sum(effective) AS effective,
        sum(of_which_provisional) AS of_which_provisional
    FROM rollups WHERE size = 'hour' AND bucket < {kept_since} GROUP BY 1, 2, 3, 4
)
SELECT * FROM (
    SELECT 'hour' AS size, tenant, bucket, series_id, currency, r.tenant IS NULL AS missing,
        ARRAY[r.events, r.unpriced_events, r.list, r.contracted, r.effective, r.of_which_provisional] AS said,
        ARRAY[s.events, s.unpriced_events, s.list, s.contracted, s.effective, s.of_which_provisional] AS should
    FROM sums s FULL JOIN said r USING (tenant, bucket, series_id, currency)
    WHERE (s.events, s.unpriced_events, s.list, s.contracted, s.effective, s.of_which_provisional)
        IS DISTINCT FROM
        (r.events, r.unpriced_events, r.list, r.contracted, r.effective, r.of_which_provisional)
) AS r WHERE NOT {waits_in_hour}

-- part: counted
-- Quantities that entries have added to their minute's rollup by the units of their events, and the least and the most
-- that they may have; of what happened in [$4, $5).
    SELECT e.tenant, date_trunc('minute', e.occurred_at) AS bucket, e.series_id,
        CASE e.seq WHEN 0 THEN e.origin_partition ELSE -1 END AS shard,
        (e.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on, e.currency, stated.unit,
        sum(CASE e.seq % 2 WHEN 0 THEN read.quantity ELSE -read.quantity END) AS quantity,
        sum(CASE WHEN e.seq % 2 = 1 THEN -read.quantity WHEN read.surely THEN read.quantity ELSE 0 END) AS least,
        sum(CASE WHEN e.seq % 2 = 0 THEN read.quantity WHEN read.surely THEN -read.quantity ELSE 0 END) AS most
    FROM entries e,
        LATERAL (SELECT {about}) AS said_by (event),
        LATERAL (SELECT CASE WHEN pg_input_is_valid(said_by.event, 'jsonb') THEN said_by.event::jsonb END)
            AS whole (event),
        LATERAL (SELECT whole.event #> '{data,usage}', whole.event ->> 'receivedat') AS said (usage, received),
        jsonb_each(CASE jsonb_typeof(said.usage) WHEN 'object' THEN said.usage ELSE '{}' END)
            AS stated (unit, quantity),
        -- OFFSET 0: decided here, so that what is sorted into groups is this and not the event.
        LATERAL (SELECT
            CASE
                WHEN jsonb_typeof(stated.quantity) = 'number' THEN stated.quantity::numeric
                WHEN stated.quantity #>> '{}' ~ '^[0-9]{1,18}(\.[0-9]{1,12})?$'
                    THEN (stated.quantity #>> '{}')::numeric
            END,
            CASE
                WHEN stated.unit = ANY ($1::text[]) THEN true
                WHEN pg_input_is_valid(said.received, 'timestamptz') THEN
                    said.received::timestamptz >= $2 AND $3 > (
                        SELECT count(*) FROM jsonb_object_keys(said.usage) AS other (unit)
                        WHERE other.unit <> ALL ($1::text[])
                            AND other.unit COLLATE "C" < stated.unit COLLATE "C")
            END
        OFFSET 0) AS read (quantity, surely)
    WHERE e.occurred_at >= $4 AND e.occurred_at < $5
    GROUP BY 1, 2, 3, 4, 5, 6, 7

-- part: stated
-- The quantities of a rollup r, by unit: most have a column, the rest is a map.
LATERAL (
        SELECT unit, quantity FROM (VALUES {unit_pairs}) AS columns (unit, quantity) WHERE quantity IS NOT NULL
        UNION ALL SELECT unit, CASE jsonb_typeof(quantity) WHEN 'number' THEN quantity::numeric END
        FROM jsonb_each(r.usage) AS map (unit, quantity)
    ) AS stated

-- part: about
-- The event that an entry e is about: its own, or the last that was stated before it.
coalesce(e.event, (SELECT a.event FROM entries a
            WHERE a.occurred_at = e.occurred_at AND a.identity = e.identity AND a.seq < e.seq AND a.event IS NOT NULL
            ORDER BY a.seq DESC LIMIT 1))

-- part: kept_since
-- From when on there are minutes; of what is older, hours and days alone.
(SELECT coalesce(max(since), '-infinity') FROM minutes_kept)

-- name: rollup_usage_faults
-- Quantities of rollup rows that are not those of their entries' events. $1: the units of the registry. Of other
-- names each event adds at least the first $3, where it was received since $2; a catalog's units are among the
-- rest, so what it adds beyond is anything up to all. A reversal takes the same away. Of corrections what is taken away
-- and added again may be left out. A row that is missing altogether is left to rollup_faults.
WITH by_minute AS (
    {counted}
), counted AS (
    SELECT * FROM by_minute WHERE bucket >= {kept_since}
), rolled AS (
    SELECT r.tenant, r.bucket, r.series_id, r.shard, r.recorded_on, r.currency, stated.unit,
        sum(stated.quantity) AS quantity
    FROM rollups_minute r, {stated} WHERE r.bucket >= greatest($4, {kept_since}) AND r.bucket < $5
    GROUP BY 1, 2, 3, 4, 5, 6, 7
)
SELECT tenant, bucket, series_id, shard, recorded_on, currency, unit,
    rolled.quantity AS said, counted.quantity AS should
FROM counted FULL JOIN rolled USING (tenant, bucket, series_id, shard, recorded_on, currency, unit)
WHERE counted.quantity IS DISTINCT FROM rolled.quantity
    AND NOT (shard = -1 AND coalesce(counted.quantity, 0) = coalesce(rolled.quantity, 0))
    AND NOT (unit <> ALL ($1::text[])
        AND coalesce(rolled.quantity, 0) BETWEEN coalesce(counted.least, 0) AND coalesce(counted.most, 0))
    AND (rolled.unit IS NOT NULL OR EXISTS (
        SELECT FROM rollups_minute r
        WHERE (r.tenant, r.bucket, r.series_id, r.shard, r.recorded_on, r.currency)
            = (counted.tenant, counted.bucket, counted.series_id, counted.shard, counted.recorded_on,
                counted.currency)))

-- name: dropped_usage_faults
-- The same of hours, where minutes are dropped.
WITH {placed}, by_minute AS (
    {counted}
), counted AS (
    SELECT c.tenant, p.hour AS bucket, c.series_id, c.currency, c.unit, sum(c.quantity) AS quantity,
        sum(c.least) AS least, sum(c.most) AS most
    FROM by_minute c JOIN placed p ON (p.tenant, p.at) = (c.tenant, c.bucket)
    WHERE p.hour < {kept_since} AND c.bucket < {kept_since} + interval '1 hour' GROUP BY 1, 2, 3, 4, 5
), rolled AS (
    SELECT r.tenant, r.bucket, r.series_id, r.currency, stated.unit, sum(stated.quantity) AS quantity
    FROM rollups r, {stated} WHERE r.size = 'hour' AND r.bucket < {kept_since} GROUP BY 1, 2, 3, 4, 5
)
SELECT * FROM (
    SELECT 'hour' AS size, tenant, bucket, series_id, currency, unit, rolled.quantity AS said,
        counted.quantity AS should
    FROM counted FULL JOIN rolled USING (tenant, bucket, series_id, currency, unit)
    WHERE coalesce(counted.quantity, 0) <> coalesce(rolled.quantity, 0)
        AND NOT (unit <> ALL ($1::text[])
            AND coalesce(rolled.quantity, 0) BETWEEN coalesce(counted.least, 0) AND coalesce(counted.most, 0))
) AS r WHERE NOT {waits_in_hour} AND EXISTS (
    SELECT FROM rollups h WHERE h.size = 'hour'
        AND (h.tenant, h.bucket, h.series_id, h.currency) = (r.tenant, r.bucket, r.series_id, r.currency))

-- name: larger_count
-- How many rollups above the minute are compared.
SELECT count(*) FROM rollups

-- part: around
-- What may lie in a bucket of [$1, $2), or begin the next one: a day is never longer than 49 hours.
bucket >= $1::timestamptz - interval '49 hours' AND bucket < $2::timestamptz + interval '49 hours'

-- name: larger_faults
-- Rollups above the minute that begin in [$1, $2) and are not the sum of those a size below that lie in them, and such as
-- are missing.
-- What lies in a bucket is what begins after it and before the next of its size, so no calendar is needed. Buckets
-- that are marked to be made again are left out: nobody reads them. Part -1 is made of what corrections added (shard -1),
-- and is never marked. Where minutes are dropped, hours are held against the entries (dropped_faults).
WITH parts AS (
    SELECT 'five_minutes' AS size, CASE WHEN shard < 0 THEN -1 ELSE 0 END AS part, tenant, bucket, series_id, currency, events, unpriced_events, list, contracted,
        effective, of_which_provisional, {usage_rest} AS usage, {units_whole}
    FROM rollups_minute WHERE {around}
    UNION ALL
    SELECT CASE size WHEN 'five_minutes' THEN 'hour' ELSE 'day' END, part, tenant, bucket, series_id, currency, events,
        unpriced_events, list, contracted, effective, of_which_provisional, usage, {units}
    FROM rollups WHERE size <> 'day' AND {around}
), starts AS (
    SELECT size, part, tenant, bucket, bool_or(marked) AS marked FROM (
        SELECT size, part, tenant, bucket, false AS marked FROM rollups WHERE {around}
        UNION ALL SELECT size, 0, tenant, bucket, true FROM touched WHERE {around}
    ) AS every GROUP BY size, part, tenant, bucket
), lies_in AS (
    SELECT size, part, tenant, at, max(start) OVER (PARTITION BY size, part, tenant ORDER BY at, start ROWS UNBOUNDED PRECEDING)
        AS start
    FROM (
        SELECT size, part, tenant, bucket AS at, NULL::timestamptz AS start FROM parts
        GROUP BY size, part, tenant, bucket
        UNION ALL SELECT size, part, tenant, bucket, bucket FROM starts
    ) AS marks
), sums AS (
    SELECT p.size, p.part, p.tenant, l.bucket, p.series_id, p.currency, min(at) AS first, sum(p.events) AS events,
        sum(p.unpriced_events) AS unpriced_events, sum(p.list) AS list, sum(p.contracted) AS contracted,
        sum(p.effective) AS effective, sum(p.of_which_provisional) AS of_which_provisional,
        nullif(usage_total(p.usage) FILTER (WHERE p.usage IS NOT NULL), '{}') AS usage,
        {unit_sums}
    FROM parts p JOIN (
        SELECT size, part, tenant, at, max(CASE WHEN at < start + CASE size WHEN 'five_minutes' THEN interval '5 minutes'
            WHEN 'hour' THEN interval '1 hour' ELSE interval '49 hours' END THEN start END) AS bucket
        FROM lies_in GROUP BY size, part, tenant, at
    ) AS l ON (l.size, l.part, l.tenant, l.at) = (p.size, p.part, p.tenant, p.bucket)
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT size, tenant, coalesce(bucket, s.first) AS bucket, series_id, currency, r.events IS NULL AS missing,
    ARRAY[r.events, r.unpriced_events, r.list, r.contracted, r.effective, r.of_which_provisional] AS said,
    ARRAY[s.events, s.unpriced_events, s.list, s.contracted, s.effective, s.of_which_provisional] AS should
FROM sums s FULL JOIN (SELECT * FROM rollups WHERE {around}) AS r USING (size, part, tenant, bucket, series_id, currency)
    LEFT JOIN (SELECT size, part, tenant, bucket FROM starts WHERE marked) AS x USING (size, part, tenant, bucket)
WHERE x.bucket IS NULL AND coalesce(bucket, s.first) >= $1 AND coalesce(bucket, s.first) < $2
    AND NOT (size IN ('hour', 'five_minutes') AND part < 0 AND coalesce(bucket, s.first) < {kept_since})
    AND (s.events, s.unpriced_events, s.list, s.contracted, s.effective, s.of_which_provisional, s.usage,
        {units_should})
        IS DISTINCT FROM
        (r.events, r.unpriced_events, r.list, r.contracted, r.effective, r.of_which_provisional, r.usage,
        {units_said})

-- name: remarks_count
-- How many rows of money under remarks are compared.
SELECT count(*) FROM remarks_daily

-- name: remark_faults
-- Rows of money under remarks that are not the sum of their entries, and sums that have no row. What was remarked stands
-- on the lines, what the event stated in the event (a batch in one of two fields), but for a region or a tier that its model's name says; a standard tier is not stated. Where a tenant, a day and a shard
-- have $1 rows, the sums that have none are one sum of the provider '', by what is remarked.
WITH sums AS (
    SELECT e.tenant, (e.recorded_at AT TIME ZONE 'UTC')::date AS recorded_on,
        CASE WHEN e.seq % 2 = 1 THEN -2 ELSE e.origin_partition END AS shard,
        (coalesce(t.recorded_at, e.recorded_at) AT TIME ZONE 'UTC')::date AS of_day,
        coalesce(t.origin_partition, e.origin_partition) AS of_shard,
        stated.provider, stated.batch, stated.tier, stated.region, e.currency, sum(1 - 2 * (e.seq % 2)) AS events,
        sum(e.effective) AS effective, min(e.occurred_at) AS first_at, max(e.occurred_at) AS last_at
    FROM entries e
        -- A reversal takes back what is on the lines of the entry before it, where that was added. OFFSET 0: of those
        -- few alone it is looked up.
        LEFT JOIN LATERAL (
            SELECT t.lines, t.recorded_at, t.origin_partition FROM entries t
            WHERE e.seq % 2 = 1 AND t.occurred_at = e.occurred_at AND t.identity = e.identity AND t.seq = e.seq - 1
            OFFSET 0
        ) AS t ON true,
        LATERAL (SELECT coalesce(e.lines, t.lines)) AS priced (lines),
        LATERAL (SELECT CASE WHEN strpos(priced.lines, '"remarks"') > 0 THEN {about} END) AS said_by (event),
        LATERAL (SELECT CASE WHEN pg_input_is_valid(said_by.event, 'jsonb') THEN said_by.event::jsonb -> 'data' END,
            CASE WHEN pg_input_is_valid(priced.lines, 'jsonb') THEN priced.lines::jsonb END) AS read (data, lines),
        LATERAL (
            SELECT bool_or(remark = 'batch'), bool_or(remark = 'tier'), bool_or(remark = 'region'),
                max(line ->> 'region'), max(line ->> 'tier')
            FROM jsonb_array_elements(CASE jsonb_typeof(read.lines) WHEN 'array' THEN read.lines END) AS line,
                jsonb_array_elements_text(
                    CASE jsonb_typeof(line -> 'remarks') WHEN 'array' THEN line -> 'remarks' END) AS remark
        ) AS remarks (batch, tier, region, named, named_tier),
        -- OFFSET 0: decided here, so that what is sorted into groups is this and not the event.
        LATERAL (SELECT
            coalesce(read.data ->> 'provider', ''),
            coalesce(remarks.batch, false),
            coalesce(CASE WHEN remarks.tier
                THEN coalesce(remarks.named_tier, read.data #>> '{context,service_tier}') END, ''),
            coalesce(CASE WHEN remarks.region THEN coalesce(remarks.named, read.data #>> '{context,region}') END, '')
        OFFSET 0) AS stated (provider, batch, tier, region)
    WHERE strpos(priced.lines, '"remarks"') > 0
        AND (stated.batch OR stated.tier <> '' OR stated.region <> '')
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
), said AS (
    SELECT * FROM remarks_daily
), full_days AS (
    SELECT tenant, recorded_on, shard FROM said WHERE provider <> '' GROUP BY 1, 2, 3 HAVING count(*) >= $1
), placed AS (
    SELECT s.*, f.tenant IS NOT NULL AND r.tenant IS NULL AS is_other
    FROM sums s LEFT JOIN full_days f ON (f.tenant, f.recorded_on, f.shard) = (s.tenant, s.of_day, s.of_shard)
        LEFT JOIN said r
            ON (r.tenant, r.recorded_on, r.shard, r.provider, r.batch, r.tier, r.region, r.currency)
                = (s.tenant, s.of_day, s.of_shard, s.provider, s.batch, s.tier, s.region, s.currency)
), should AS (
    SELECT tenant, recorded_on, shard, CASE WHEN is_other THEN '' ELSE provider END AS provider, batch,
        CASE WHEN is_other AND tier <> '' THEN 'other' ELSE tier END AS tier,
        CASE WHEN is_other AND region <> '' THEN 'other' ELSE region END AS region, currency,
        sum(events)::bigint AS events, sum(effective) AS effective, min(first_at) AS first_at, max(last_at) AS last_at
    FROM placed GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
)
SELECT tenant, recorded_on, shard, provider, batch, tier, region, currency,
    ARRAY[r.events, r.effective] AS said, ARRAY[s.events, s.effective] AS should
FROM should s FULL JOIN said r USING (tenant, recorded_on, shard, provider, batch, tier, region, currency)
WHERE (s.events, s.effective, s.first_at, s.last_at) IS DISTINCT FROM (r.events, r.effective, r.first_at, r.last_at)

-- name: rollup_hours
-- What the rollups say by tenant, hour and currency, corrections left out.
SELECT tenant, date_trunc('hour', bucket, 'UTC') AS hour, currency, sum(events)::bigint AS events,
    sum(unpriced_events)::bigint AS unpriced_events, sum(list) AS list, sum(contracted) AS contracted,
    sum(effective) AS effective, sum(of_which_provisional) AS of_which_provisional
FROM rollups_minute WHERE shard >= 0 AND bucket >= {kept_since} GROUP BY 1, 2, 3

-- name: accounting
-- The counts by tenant that the book keeps beside the rows of a partition.
SELECT * FROM accounting WHERE partition = $1

-- name: stopped
-- Lines that stand still, and why.
SELECT partition, stopped FROM log_ends WHERE stopped <> ''

-- name: service_roles
-- The services' roles, and whoever else is connected but for the owner of the book and this program.
SELECT r.oid, r.rolname, r.rolsuper, r.rolbypassrls,
    pg_has_role(r.oid, c.relowner, 'MEMBER') AS owns
FROM pg_roles r, pg_class c
WHERE c.oid = 'public.entries'::regclass AND (
    r.rolname LIKE replace(current_database(), '_', '\_') || '\_%'
    OR r.oid IN (SELECT usesysid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'spendmeter-%'))

-- name: privileges
-- What each role may do with each table, by the catalogue; a column's privilege counts as the table's.
SELECT t.relname AS table, p.privilege
FROM pg_class t CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)
WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p', 'v', 'm') AND (
    has_table_privilege($1::oid, t.oid, p.privilege)
    OR CASE WHEN p.privilege IN ('SELECT', 'INSERT', 'UPDATE')
        THEN has_any_column_privilege($1::oid, t.oid, p.privilege) END)

-- name: unprotected
-- Tables with a tenant whose rows are not protected, from their owner too.
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant'
    AND NOT (c.relrowsecurity AND c.relforcerowsecurity)

-- name: database
-- Whose roles are ours: their names carry it.
SELECT current_database()

-- name: tenants
-- Whom a look may be taken as.
SELECT tenant FROM tenants ORDER BY tenant

-- name: tables_with_tenant
-- Where a row belongs to somebody.
SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE attname = 'tenant' AND relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')

-- name: act_as
-- What is read from here on is what that role sees; an identifier is no parameter.
SET LOCAL ROLE "{role}"

-- name: act_for
-- The tenant that api would act for.
SELECT set_config('app.tenant', $1, true)

-- name: act_as_before
-- Ourselves again.
RESET ROLE

-- name: strangers_row
-- A row of that table that $1 may not see; $2: those of '' are for everybody who has a tenant.
SELECT tenant FROM public.{table} WHERE NOT (tenant = $1 AND $1 <> '' OR $2 AND tenant = '') LIMIT 1

-- name: export_snapshot
-- The book as it is at this moment, for another connection.
SELECT pg_export_snapshot()

-- name: import_snapshot
-- The same moment here; a snapshot's name is no parameter.
SET TRANSACTION SNAPSHOT '{snapshot}'

-- name: true_ups
-- Every true-up that is listed beside its entry; either side may be missing. number: which of its period it is.
SELECT u.tenant, u.term, u.period_start, u.revision, u.identity, u.occurred_at, u.currency, u.amount, u.provider,
    u.cost_class, e.identity AS booked, e.occurred_at AS booked_at, e.tenant AS booked_of, e.currency AS booked_in,
    e.effective, e.accounting_period, e.recorded_at, e.event, e.lines, e.series_id,
    row_number() OVER (PARTITION BY u.tenant, u.term, u.period_start ORDER BY u.revision) - 1 AS number
FROM true_ups u FULL JOIN (SELECT * FROM entries WHERE origin_partition = -1 AND seq < 0) AS e USING (identity, occurred_at)

-- name: true_ups_numbered
-- Those that are booked under the numbers [$1, $2) of what corrects, beside their list.
SELECT u.tenant, u.term, u.period_start, u.revision, u.identity, u.occurred_at, u.currency, u.amount, u.provider,
    u.cost_class, e.identity AS booked, e.occurred_at AS booked_at, e.tenant AS booked_of, e.currency AS booked_in,
    e.effective, e.accounting_period, e.recorded_at, e.event, e.lines, e.series_id, e.origin_offset,
    (SELECT count(*) FROM true_ups o
        WHERE (o.tenant, o.term, o.period_start) = (u.tenant, u.term, u.period_start) AND o.revision < u.revision) AS number
FROM entries e LEFT JOIN true_ups u USING (identity, occurred_at)
WHERE e.origin_partition = -1 AND e.seq < 0 AND e.origin_offset >= $1 AND e.origin_offset < $2

-- name: true_up_periods
-- How periods of terms are said to stand, beside what the catalog says of the term (null = it is withdrawn) and what all
-- revisions come to. is_due: something has changed since, and will be worked out.
SELECT p.*, c.body, coalesce(u.amount, 0) AS of_revisions, coalesce(u.number, 0) AS number,
    coalesce(u.currencies, 0) > 1 OR u.currency <> p.currency AS is_mixed,
    EXISTS (SELECT FROM true_ups_due d WHERE d.tenant = p.tenant AND d.day >= p.period_start AND d.day < p.period_end) AS is_due
FROM true_up_periods p LEFT JOIN catalog_entries c ON c.id = p.term AND NOT EXISTS (
        SELECT FROM catalog_entries w WHERE w.type = 'spendmeter.catalog.withdrawal.v1' AND w.version <= p.catalog_version
            AND (w.body::jsonb -> 'entries') ? c.id)
    LEFT JOIN (
        SELECT tenant, term, period_start, sum(amount) AS amount, count(*) AS number, min(currency) AS currency,
            count(DISTINCT currency) AS currencies
        FROM true_ups GROUP BY 1, 2, 3
    ) AS u ON (u.tenant, u.term, u.period_start) = (p.tenant, p.term, p.period_start)

-- name: true_up_uses
-- What the cells of the days [$2, $3) say of tenant $1, which are held against the entries beside this: by names as events
-- state them, and as the entry that priced them does.
SELECT lower(s.provider) AS provider, lower(s.sku) AS sku, s.cost_class, c.unit, c.status, c.currency,
    coalesce(lower(p.provider), '') AS priced_provider, coalesce(lower(p.sku), '') AS priced_sku, sum(c.quantity) AS quantity,
    sum(c.effective) AS amount
FROM cells c JOIN series s USING (tenant, series_id) LEFT JOIN catalog_entries p ON p.id = c.entry
WHERE c.tenant = $1 AND c.day >= $2 AND c.day < $3 AND (c.unit <> '' OR c.effective <> 0 AND s.sku <> 'true-up')
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8

-- name: true_ups_within
-- What true-ups of other kinds changed of what one provider's usage cost in [$3, $4), of the classes $6 where there are any.
SELECT coalesce(sum(amount), 0) AS amount, count(*) FILTER (WHERE currency <> $5) AS others FROM true_ups
WHERE tenant = $1 AND provider = $2 AND occurred_at >= $3 AND occurred_at < $4 AND effect <> 'spend_commitment'
    AND ($6::text[] = '{}' OR cost_class = ANY ($6))

-- name: period_terms
-- Every term of a period that is for this tenant, or may be: who else counts the same use?
SELECT id, body FROM catalog_entries c WHERE type = 'spendmeter.catalog.period.v1' AND tenant IN ('', $1)
    AND NOT EXISTS (
        SELECT FROM catalog_entries w WHERE w.type = 'spendmeter.catalog.withdrawal.v1'
            AND (w.body::jsonb -> 'entries') ? c.id)

-- name: own_terms
-- What a tenant's terms say that are not withdrawn.
SELECT body FROM catalog_entries c WHERE type = 'spendmeter.catalog.tenant.v1' AND tenant = $1
    AND NOT EXISTS (
        SELECT FROM catalog_entries w WHERE w.type = 'spendmeter.catalog.withdrawal.v1'
            AND (w.body::jsonb -> 'entries') ? c.id)

-- name: apart_count
-- How many sums by when they were recorded there are.
SELECT count(*) FROM recorded_apart

-- name: apart_faults
-- Of at most $1 moments, beside the entries: what happened before the quarter of an hour (UTC) in which one of them lies, and
-- was recorded between it and the next. Which entry was in the book when, its offset says: in an account of its partition, of
-- which a moment that names a later one had all, and one that names none had nothing.
WITH accounts AS (
    SELECT partition, account, begun_at, next_offset,
        coalesce(lead(begun_at) OVER (PARTITION BY partition ORDER BY account), 'infinity') AS ended_at
    FROM moment_marks
), chosen AS MATERIALIZED (
    SELECT at, partitions, accounts, next_offsets, row_number() OVER (ORDER BY at) AS n FROM (
        SELECT m.*, row_number() OVER (ORDER BY at) AS i, count(*) OVER () AS of FROM moments m
    ) AS numbered
    WHERE i = 1 OR i = of OR i % (of / $1 + 1) = 0
), reach AS MATERIALIZED (
    SELECT o.partition, o.begun_at, o.ended_at, o.next_offset, array_agg(c.at ORDER BY c.n) AS moments,
        array_agg(coalesce((
                SELECT CASE WHEN v.account = o.account THEN v.next_offset
                    WHEN v.account > o.account THEN 9223372036854775807 ELSE 0 END
                FROM unnest(c.partitions, c.accounts, c.next_offsets) AS v (partition, account, next_offset)
                WHERE v.partition = o.partition
            ), 0) ORDER BY c.n) AS offsets
    FROM accounts o CROSS JOIN chosen c GROUP BY 1, 2, 3, 4
), of_entries AS (
    SELECT e.tenant, c.at, date_trunc('minute', e.occurred_at) AS bucket, e.series_id, e.currency,
        sum(CASE WHEN seq < 0 THEN 0 ELSE 1 - 2 * (seq % 2) END) AS events,
        coalesce(sum(1 - 2 * (seq % 2)) FILTER (WHERE status = 'unpriced'), 0) AS unpriced_events,
        sum(list) AS list, sum(contracted) AS contracted, sum(effective) AS effective,
        coalesce(sum(effective) FILTER (WHERE status = 'provisional'), 0) AS of_which_provisional,
        coalesce(sum(effective) FILTER (WHERE e.origin_partition = -1), 0) AS corrected
    FROM reach r JOIN entries e
        ON e.origin_partition = r.partition AND e.origin_offset < r.next_offset AND e.recorded_at >= r.begun_at
            AND e.recorded_at < r.ended_at
        CROSS JOIN LATERAL (SELECT r.moments[width_bucket(e.origin_offset, r.offsets)] AS at) AS c
    WHERE e.occurred_at < date_bin('15 minutes', c.at, 'epoch')
    GROUP BY 1, 2, 3, 4, 5
), of_sums AS (
    SELECT a.tenant, c.at, a.bucket, a.series_id, a.currency, sum(a.events) AS events,
        sum(a.unpriced_events) AS unpriced_events, sum(a.list) AS list, sum(a.contracted) AS contracted,
        sum(a.effective) AS effective, sum(a.of_which_provisional) AS of_which_provisional, sum(a.corrected) AS corrected
    FROM recorded_apart a CROSS JOIN (SELECT array_agg(at ORDER BY n) AS moments FROM chosen) AS all_chosen
        CROSS JOIN LATERAL (
            SELECT moments[width_bucket(a.at - interval '1 microsecond', moments)] AS at -- the last one before
        ) AS c
    WHERE a.size = 'minute' AND a.bucket < date_bin('15 minutes', c.at, 'epoch')
    GROUP BY 1, 2, 3, 4, 5
)
SELECT tenant, at, bucket, series_id, currency,
    ARRAY[a.events, a.unpriced_events, a.list, a.contracted, a.effective, a.of_which_provisional, a.corrected] AS said,
    ARRAY[e.events, e.unpriced_events, e.list, e.contracted, e.effective, e.of_which_provisional, e.corrected] AS should
FROM of_sums a FULL JOIN of_entries e USING (tenant, at, bucket, series_id, currency)
WHERE ARRAY[coalesce(a.events, 0), coalesce(a.unpriced_events, 0), coalesce(a.list, 0), coalesce(a.contracted, 0),
        coalesce(a.effective, 0), coalesce(a.of_which_provisional, 0), coalesce(a.corrected, 0)]
    <> ARRAY[coalesce(e.events, 0), coalesce(e.unpriced_events, 0), coalesce(e.list, 0), coalesce(e.contracted, 0),
        coalesce(e.effective, 0), coalesce(e.of_which_provisional, 0), coalesce(e.corrected, 0)]
ORDER BY tenant, at, bucket, series_id, currency

-- name: apart_larger_faults
-- Hours and days of these sums that are not their minutes.
WITH minutes AS (
    SELECT m.tenant, s.size, date_bin(s.long, m.bucket, 'epoch') AS bucket, m.at, m.series_id, m.currency,
        ARRAY[sum(m.events), sum(m.unpriced_events), sum(m.list), sum(m.contracted), sum(m.effective),
            sum(m.of_which_provisional), sum(m.corrected)] AS sums
    FROM recorded_apart m CROSS JOIN (VALUES ('hour', interval '1 hour'), ('day', '1 day')) AS s (size, long)
    WHERE m.size = 'minute' GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT tenant, size, bucket, at, series_id, currency, coalesce(l.sums, ARRAY[0, 0, 0, 0, 0, 0, 0]) AS said,
    coalesce(m.sums, ARRAY[0, 0, 0, 0, 0, 0, 0]) AS should
FROM minutes m FULL JOIN (
    SELECT tenant, size, bucket, at, series_id, currency, ARRAY[events, unpriced_events, list, contracted, effective,
        of_which_provisional, corrected] AS sums
    FROM recorded_apart WHERE size <> 'minute'
) AS l USING (tenant, size, bucket, at, series_id, currency)
WHERE l.sums IS DISTINCT FROM m.sums

-- name: chain_progress
-- Up to which day the chain is closed.
SELECT closed_through FROM chain_progress

-- name: chain_entries
-- Every entry of closed days in the order of the chain, each value spelt as the chain's leaves have it (docs/chain.md).
SELECT recorded_on AS day, tenant, currency, list, contracted, effective, ARRAY[
    recorded_on::text, (extract(epoch FROM occurred_at) * 1000000)::bigint::text, encode(identity, 'hex'), seq::text,
    (extract(epoch FROM recorded_at) * 1000000)::bigint::text, origin_partition::text, origin_offset::text,
    catalog_version::text, accounting_period::text, encode(series_id, 'hex'), tenant, status, currency,
    trim_scale(list)::text, trim_scale(contracted)::text, trim_scale(effective)::text, event, lines, correction_id
] AS leaf
FROM entries WHERE recorded_on <= $1
ORDER BY recorded_on, recorded_at, origin_partition, origin_offset, identity, seq

-- name: chain_days
-- What the chain says of each day; and what of each tenant's last day before it: should.
SELECT day, tenant, epoch, previous_day, previous, leaves, sums::text AS sums, link, root,
    lag(day) OVER in_order AS previous_day_should, coalesce(lag(root) OVER in_order, '') AS previous_should
FROM chain_days WINDOW in_order AS (PARTITION BY tenant ORDER BY day) ORDER BY day, tenant

-- name: chain_written_since
-- Entries of a tenant's day that were written by a later transaction than the one that closed it: counted in 32 bits, as
-- rows have it, and only as long as the database is the same one. Of the table alone: what lies in a file was written by none.
SELECT encode(e.identity, 'hex') AS identity, e.seq, e.origin_partition, e.origin_offset
FROM chain_days c JOIN public.entries e ON e.recorded_on = c.day AND e.tenant = c.tenant
WHERE (c.tenant, c.day) = ($1, $2)
    AND ((e.xmin::text::bigint - (c.closed_in::text::numeric % 4294967296)::bigint) & 4294967295) BETWEEN 1 AND 2147483647
ORDER BY e.origin_partition, e.origin_offset, e.seq LIMIT $3

-- name: chain_roots
-- What the chain says of these days of tenants.
SELECT tenant, day, epoch, root FROM chain_days
JOIN unnest($1::text[], $2::date[]) AS n (tenant, day) USING (tenant, day)

-- name: chain_put_backs
-- When the book was put back to an earlier state, by whom and why.
SELECT epoch, stands_through, began_at, by, reason FROM chain_put_backs ORDER BY epoch
