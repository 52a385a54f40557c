-- Minutes are kept by day, and dropped with their day: what they came to stays in hours and days.
-- depends: 0023_alerts_follow_corrections 0025_rolled

-- migrate: apply

-- Since when all minutes are there; no row: nothing was dropped. Of what is older, hours and days hold the sums
-- (docs/decisions/minutes-by-day.md). It is changed by drop_minutes alone.
CREATE TABLE minutes_kept (
    alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
    since timestamptz NOT NULL
);

-- Nothing is booked meanwhile; whoever reads waits.
LOCK TABLE rollups_minute IN ACCESS EXCLUSIVE MODE;
ALTER TABLE rollups_minute RENAME TO rollups_minute_before;
ALTER TABLE rollups_minute_before RENAME CONSTRAINT rollups_minute_pkey TO rollups_minute_before_pkey;
DROP INDEX rollups_minute_unknown;
CREATE TABLE rollups_minute (
    LIKE rollups_minute_before INCLUDING DEFAULTS INCLUDING STORAGE,
    PRIMARY KEY (tenant, bucket, series_id, shard, recorded_on, currency)
) PARTITION BY RANGE (bucket);
CREATE INDEX rollups_minute_unknown ON rollups_minute (tenant, bucket)
    WHERE of_which_provisional <> 0 OR unpriced_events <> 0;

-- The parts, in a schema that no role may use: each sees through rollups_minute what it may see there. `earlier` has
-- what is booked of days before the oldest that is kept.
CREATE SCHEMA minutes;

-- The days (UTC) that have a part of their own.
CREATE FUNCTION minutes_days() RETURNS SETOF date LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT right(c.relname, 8)::date FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'public.rollups_minute'::regclass AND c.relname LIKE 'day\_%'
$$;

-- Makes a part for each day that has none, from the newest that has one to `until`; how many. Not more than a year
-- ahead. Nothing is locked that a booking or a reader waits for.
CREATE FUNCTION make_minutes(until date) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    day date;
    made int := 0;
BEGIN
    IF until > (now() AT TIME ZONE 'UTC')::date + 366 THEN
        RAISE EXCEPTION 'minutes are made a year ahead at most, and not until %', until;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('spendmeter.minutes'));
    day := (SELECT max(d) FROM minutes_days() AS d) + 1;
    WHILE day <= until LOOP
        EXECUTE format('CREATE TABLE minutes.%I (LIKE rollups_minute INCLUDING ALL) WITH (fillfactor = 60)',
            'day_' || to_char(day, 'YYYYMMDD'));
        EXECUTE format('ALTER TABLE rollups_minute ATTACH PARTITION minutes.%I FOR VALUES FROM (%L) TO (%L)',
            'day_' || to_char(day, 'YYYYMMDD'), day::timestamptz, (day + 1)::timestamptz);
        day := day + 1;
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- Drops the minutes before `until`, which are frozen into hours and days: of 31 days they stay, whoever asks. Fails,
-- and changes nothing, where something older was booked and is not rolled up and frozen, or where somebody reads
-- minutes. In one transaction with the freezing, for then nothing is in both or in neither.
CREATE FUNCTION drop_minutes(until timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms' AS $$
DECLARE
    oldest timestamptz := (SELECT min(d)::timestamptz FROM minutes_days() AS d);
    day date;
BEGIN
    IF until <> date_trunc('day', until) OR until > now() - interval '31 days' THEN
        RAISE EXCEPTION 'minutes are dropped by whole days (UTC), and stay for 31, so not those before %', until;
    END IF;
    IF oldest >= until THEN
        -- These are all in `earlier`, and their bookings leave marks.
        DELETE FROM rollups_minute WHERE bucket < until;
    END IF;
    -- Waits for those who have read or booked minutes, and keeps others waiting no longer than its lock_timeout.
    LOCK TABLE ONLY rollups_minute IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM touched t WHERE t.bucket < until) THEN
        RAISE EXCEPTION 'something before % was booked meanwhile', until USING ERRCODE = 'serialization_failure';
    END IF;
    IF oldest < until THEN
        DROP TABLE minutes.earlier; -- all of it is older; an empty one is attached without being read
        FOR day IN SELECT d FROM minutes_days() AS d WHERE d::timestamptz < until LOOP
            EXECUTE format('DROP TABLE minutes.%I', 'day_' || to_char(day, 'YYYYMMDD'));
        END LOOP;
        CREATE TABLE minutes.earlier (LIKE rollups_minute INCLUDING ALL) WITH (fillfactor = 60);
        EXECUTE format('ALTER TABLE rollups_minute ATTACH PARTITION minutes.earlier FOR VALUES FROM (MINVALUE) TO (%L)',
            until);
    END IF;
    INSERT INTO minutes_kept AS k (since) VALUES (until)
    ON CONFLICT (alone) DO UPDATE SET since = greatest(k.since, excluded.since);
END
$$;

REVOKE ALL ON FUNCTION minutes_days(), make_minutes(date), drop_minutes(timestamptz) FROM PUBLIC;

-- 35 days back, for what is booked late, and a week ahead. With what is there already.
DO $$
DECLARE
    first date := (now() AT TIME ZONE 'UTC')::date - 35;
BEGIN
    SET LOCAL timezone = 'UTC';
    CREATE TABLE minutes.earlier (LIKE rollups_minute INCLUDING ALL) WITH (fillfactor = 60);
    EXECUTE format('ALTER TABLE rollups_minute ATTACH PARTITION minutes.earlier FOR VALUES FROM (MINVALUE) TO (%L)',
        first::timestamptz);
    EXECUTE format('CREATE TABLE minutes.%I (LIKE rollups_minute INCLUDING ALL) WITH (fillfactor = 60)',
        'day_' || to_char(first, 'YYYYMMDD'));
    EXECUTE format('ALTER TABLE rollups_minute ATTACH PARTITION minutes.%I FOR VALUES FROM (%L) TO (%L)',
        'day_' || to_char(first, 'YYYYMMDD'), first::timestamptz, (first + 1)::timestamptz);
    PERFORM make_minutes(greatest(first + 42, (SELECT (max(bucket) AT TIME ZONE 'UTC')::date FROM rollups_minute_before)));
END
$$;
INSERT INTO rollups_minute SELECT * FROM rollups_minute_before;
DROP TABLE rollups_minute_before;
ANALYZE rollups_minute;

-- As before. late_hour: an hour before minutes begin, in which something booked late waits to be rolled up: its sums
-- but for part 0, and those minutes. Of minutes no part is looked into but between the first piece that wants them and
-- the last, which the planner sees.
CREATE OR REPLACE FUNCTION spent(of_tenant text, sizes text[], since timestamptz[], until timestamptz[])
RETURNS TABLE (bucket timestamptz, series_id bytea, currency text, events bigint, unpriced_events bigint, list numeric,
    contracted numeric, effective numeric, of_which_provisional numeric, usage jsonb,
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric, reasoning_tokens numeric, embedding_tokens numeric, requests numeric,
    searches numeric, corrected numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.* FROM unnest(sizes, since, until) AS piece (size, since, until) CROSS JOIN LATERAL (
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches, CASE WHEN part = -1 THEN effective ELSE 0 END
        FROM rollups
        WHERE tenant = of_tenant AND size = CASE piece.size WHEN 'late_hour' THEN 'hour' ELSE piece.size END
            AND bucket >= piece.since AND bucket < piece.until AND (part < 0 OR piece.size <> 'late_hour')
        UNION ALL
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches, CASE WHEN shard = -1 THEN effective ELSE 0 END
        FROM rollups_minute
        WHERE (piece.size = 'minute' OR piece.size = 'late_hour' AND shard >= 0)
            AND tenant = of_tenant AND bucket >= piece.since AND bucket < piece.until
            AND bucket >= least((spent.since)[array_position(sizes, 'minute')],
                (spent.since)[array_position(sizes, 'late_hour')])
            AND bucket < greatest(
                (spent.until)[(array_positions(sizes, 'minute'))[cardinality(array_positions(sizes, 'minute'))]],
                (spent.until)[(array_positions(sizes, 'late_hour'))[cardinality(array_positions(sizes, 'late_hour'))]])
    ) AS r
$$;

-- As before; where minutes are dropped, by hours.
CREATE INDEX rollups_unknown ON rollups (tenant, bucket)
    WHERE size = 'hour' AND (of_which_provisional <> 0 OR unpriced_events <> 0);
CREATE OR REPLACE FUNCTION catalog_unknown(since timestamptz)
RETURNS TABLE (tenant text, provider text, sku text, currency text, first_seen timestamptz, last_seen timestamptz,
    earliest timestamptz, events bigint, unpriced_events bigint, provisional numeric, usage jsonb,
    samples text[], lines text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.tenant, u.provider, u.sku, u.currency, u.first_seen, u.last_seen, u.earliest, u.events,
        u.unpriced_events, u.provisional, u.usage, coalesce(told.samples, '{}'), coalesce(told.lines, '{}')
    FROM (
        SELECT r.tenant, s.provider, s.sku, r.currency, min(greatest(r.bucket, s.first_seen)), max(r.bucket),
            min(r.bucket), sum(r.events)::bigint, sum(r.unpriced_events)::bigint, sum(r.of_which_provisional),
            usage_sum(usage_total(r.usage) FILTER (WHERE r.usage IS NOT NULL), jsonb_strip_nulls(jsonb_build_object(
                'input_tokens', sum(r.input_tokens), 'output_tokens', sum(r.output_tokens),
                'cache_read_tokens', sum(r.cache_read_tokens), 'cache_write_5m_tokens', sum(r.cache_write_5m_tokens),
                'cache_write_1h_tokens', sum(r.cache_write_1h_tokens), 'reasoning_tokens', sum(r.reasoning_tokens),
                'embedding_tokens', sum(r.embedding_tokens), 'requests', sum(r.requests), 'searches', sum(r.searches)))),
            min(r.bucket) FILTER (WHERE r.unpriced_events > 0),
            min(r.bucket + r.long) FILTER (WHERE r.unpriced_events > 0),
            max(r.bucket) FILTER (WHERE r.unpriced_events > 0),
            max(r.bucket + r.long) FILTER (WHERE r.unpriced_events > 0)
        FROM (SELECT coalesce(max(k.since), '-infinity') FROM minutes_kept k) AS kept (since) CROSS JOIN LATERAL (
            SELECT m.tenant, m.series_id, m.currency, m.bucket, m.long, sum(m.events) AS events,
                sum(m.unpriced_events) AS unpriced_events, sum(m.of_which_provisional) AS of_which_provisional,
                usage_total(m.usage) FILTER (WHERE m.usage IS NOT NULL) AS usage,
                sum(m.input_tokens) AS input_tokens, sum(m.output_tokens) AS output_tokens,
                sum(m.cache_read_tokens) AS cache_read_tokens, sum(m.cache_write_5m_tokens) AS cache_write_5m_tokens,
                sum(m.cache_write_1h_tokens) AS cache_write_1h_tokens, sum(m.reasoning_tokens) AS reasoning_tokens,
                sum(m.embedding_tokens) AS embedding_tokens, sum(m.requests) AS requests, sum(m.searches) AS searches
            FROM (
                SELECT tenant, series_id, currency, bucket, interval '1 minute' AS long, events, unpriced_events,
                    of_which_provisional, usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens,
                    cache_write_1h_tokens, reasoning_tokens, embedding_tokens, requests, searches
                FROM rollups_minute
                -- an hour in which minutes begin to be kept counts as a whole
                WHERE bucket >= greatest(catalog_unknown.since, kept.since)
                    AND (bucket >= kept.since + interval '1 hour' OR NOT EXISTS (
                        SELECT FROM rollups h WHERE h.tenant = rollups_minute.tenant AND h.size = 'hour'
                            AND h.bucket > rollups_minute.bucket - interval '1 hour' AND h.bucket < kept.since))
                    AND (of_which_provisional <> 0 OR unpriced_events <> 0)
                UNION ALL
                SELECT tenant, series_id, currency, bucket, interval '1 hour', events, unpriced_events,
                    of_which_provisional, usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens,
                    cache_write_1h_tokens, reasoning_tokens, embedding_tokens, requests, searches
                FROM rollups
                WHERE size = 'hour' AND bucket >= catalog_unknown.since AND bucket < kept.since
                    AND (of_which_provisional <> 0 OR unpriced_events <> 0)
            ) AS m
            WHERE current_setting('app.tenant', true) IN ('*', m.tenant)
            GROUP BY 1, 2, 3, 4, 5 HAVING sum(m.of_which_provisional) > 0 OR sum(m.unpriced_events) > 0
        ) AS r JOIN series s USING (tenant, series_id)
        GROUP BY 1, 2, 3, 4
    ) AS u (tenant, provider, sku, currency, first_seen, last_seen, earliest, events, unpriced_events, provisional,
        usage, first_unpriced, first_until, last_unpriced, last_until)
    LEFT JOIN LATERAL (
        SELECT array_agg(e.event) AS samples, array_agg(e.lines) AS lines FROM (
            -- In an hour lie everybody's entries: of them some are looked at, and there may be no sample among them.
            (SELECT e.event, e.lines FROM (
                SELECT * FROM entries_in_force WHERE occurred_at >= u.last_unpriced AND occurred_at < u.last_until
                ORDER BY occurred_at DESC
                LIMIT CASE WHEN u.last_until - u.last_unpriced > interval '1 minute' THEN 5000 END
            ) AS e JOIN series s USING (tenant, series_id)
            WHERE e.status = 'unpriced' AND (e.tenant, s.provider, s.sku) = (u.tenant, u.provider, u.sku)
            ORDER BY e.occurred_at DESC LIMIT 5)
            UNION
            (SELECT e.event, e.lines FROM (
                SELECT * FROM entries_in_force WHERE occurred_at >= u.first_unpriced AND occurred_at < u.first_until
                ORDER BY occurred_at
                LIMIT CASE WHEN u.first_until - u.first_unpriced > interval '1 minute' THEN 5000 END
            ) AS e JOIN series s USING (tenant, series_id)
            WHERE e.status = 'unpriced' AND (e.tenant, s.provider, s.sku) = (u.tenant, u.provider, u.sku)
            ORDER BY e.occurred_at LIMIT 5)
        ) AS e
    ) AS told ON u.unpriced_events > 0
$$;

-- migrate: rollback

-- Minutes that were dropped do not come back. What they came to stays in hours and days, in a part that is never made
-- again.
DROP FUNCTION drop_minutes(timestamptz);
DROP FUNCTION make_minutes(date);
ALTER TABLE rollups_minute RENAME TO rollups_minute_by_day;
ALTER TABLE rollups_minute_by_day RENAME CONSTRAINT rollups_minute_pkey TO rollups_minute_by_day_pkey;
DROP INDEX rollups_minute_unknown;
CREATE TABLE rollups_minute (
    LIKE rollups_minute_by_day INCLUDING DEFAULTS INCLUDING STORAGE,
    PRIMARY KEY (tenant, bucket, series_id, shard, recorded_on, currency)
) WITH (fillfactor = 60);
CREATE INDEX rollups_minute_unknown ON rollups_minute (tenant, bucket)
    WHERE of_which_provisional <> 0 OR unpriced_events <> 0;
INSERT INTO rollups_minute SELECT * FROM rollups_minute_by_day;
DROP TABLE rollups_minute_by_day;
DROP SCHEMA minutes;
DROP INDEX rollups_unknown;

CREATE OR REPLACE FUNCTION catalog_unknown(since timestamptz)
RETURNS TABLE (tenant text, provider text, sku text, currency text, first_seen timestamptz, last_seen timestamptz,
    earliest timestamptz, events bigint, unpriced_events bigint, provisional numeric, usage jsonb,
    samples text[], lines text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.tenant, u.provider, u.sku, u.currency, u.first_seen, u.last_seen, u.earliest, u.events,
        u.unpriced_events, u.provisional, u.usage, coalesce(told.samples, '{}'), coalesce(told.lines, '{}')
    FROM (
        SELECT r.tenant, s.provider, s.sku, r.currency, min(greatest(r.bucket, s.first_seen)), max(r.bucket),
            min(r.bucket), sum(r.events)::bigint, sum(r.unpriced_events)::bigint, sum(r.of_which_provisional),
            usage_sum(usage_total(r.usage) FILTER (WHERE r.usage IS NOT NULL), jsonb_strip_nulls(jsonb_build_object(
                'input_tokens', sum(r.input_tokens), 'output_tokens', sum(r.output_tokens),
                'cache_read_tokens', sum(r.cache_read_tokens), 'cache_write_5m_tokens', sum(r.cache_write_5m_tokens),
                'cache_write_1h_tokens', sum(r.cache_write_1h_tokens), 'reasoning_tokens', sum(r.reasoning_tokens),
                'embedding_tokens', sum(r.embedding_tokens), 'requests', sum(r.requests), 'searches', sum(r.searches)))),
            min(r.bucket) FILTER (WHERE r.unpriced_events > 0),
            max(r.bucket) FILTER (WHERE r.unpriced_events > 0)
        FROM (
            SELECT m.tenant, m.series_id, m.currency, m.bucket, sum(m.events) AS events,
                sum(m.unpriced_events) AS unpriced_events, sum(m.of_which_provisional) AS of_which_provisional,
                usage_total(m.usage) FILTER (WHERE m.usage IS NOT NULL) AS usage,
                sum(m.input_tokens) AS input_tokens, sum(m.output_tokens) AS output_tokens,
                sum(m.cache_read_tokens) AS cache_read_tokens, sum(m.cache_write_5m_tokens) AS cache_write_5m_tokens,
                sum(m.cache_write_1h_tokens) AS cache_write_1h_tokens, sum(m.reasoning_tokens) AS reasoning_tokens,
                sum(m.embedding_tokens) AS embedding_tokens, sum(m.requests) AS requests, sum(m.searches) AS searches
            FROM rollups_minute m
            WHERE (m.of_which_provisional <> 0 OR m.unpriced_events <> 0) AND m.bucket >= since
                AND current_setting('app.tenant', true) IN ('*', m.tenant)
            GROUP BY 1, 2, 3, 4 HAVING sum(m.of_which_provisional) > 0 OR sum(m.unpriced_events) > 0
        ) AS r JOIN series s USING (tenant, series_id)
        GROUP BY 1, 2, 3, 4
    ) AS u (tenant, provider, sku, currency, first_seen, last_seen, earliest, events, unpriced_events, provisional,
        usage, first_unpriced, last_unpriced)
    LEFT JOIN LATERAL (
        SELECT array_agg(e.event) AS samples, array_agg(e.lines) AS lines FROM (
            (SELECT e.event, e.lines FROM entries_in_force e JOIN series s USING (tenant, series_id)
            WHERE e.occurred_at >= u.last_unpriced AND e.occurred_at < u.last_unpriced + interval '1 minute'
                AND e.status = 'unpriced' AND (e.tenant, s.provider, s.sku) = (u.tenant, u.provider, u.sku)
            ORDER BY e.occurred_at DESC LIMIT 5)
            UNION
            (SELECT e.event, e.lines FROM entries_in_force e JOIN series s USING (tenant, series_id)
            WHERE e.occurred_at >= u.first_unpriced AND e.occurred_at < u.first_unpriced + interval '1 minute'
                AND e.status = 'unpriced' AND (e.tenant, s.provider, s.sku) = (u.tenant, u.provider, u.sku)
            ORDER BY e.occurred_at LIMIT 5)
        ) AS e
    ) AS told ON u.unpriced_events > 0
$$;

CREATE OR REPLACE FUNCTION spent(of_tenant text, sizes text[], since timestamptz[], until timestamptz[])
RETURNS TABLE (bucket timestamptz, series_id bytea, currency text, events bigint, unpriced_events bigint, list numeric,
    contracted numeric, effective numeric, of_which_provisional numeric, usage jsonb,
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric, reasoning_tokens numeric, embedding_tokens numeric, requests numeric,
    searches numeric, corrected numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.* FROM unnest(sizes, since, until) AS piece (size, since, until) CROSS JOIN LATERAL (
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches, CASE WHEN part = -1 THEN effective ELSE 0 END
        FROM rollups
        WHERE tenant = of_tenant AND size = piece.size AND bucket >= piece.since AND bucket < piece.until
        UNION ALL
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches, CASE WHEN shard = -1 THEN effective ELSE 0 END
        FROM rollups_minute
        WHERE piece.size = 'minute' AND tenant = of_tenant AND bucket >= piece.since AND bucket < piece.until
    ) AS r
$$;

DROP FUNCTION minutes_days();
DROP TABLE minutes_kept;
