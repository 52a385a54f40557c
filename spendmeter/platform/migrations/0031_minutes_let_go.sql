-- Minutes are let go, frozen some at a time, and then dropped: what comes late keeps no day from it.
-- depends: 0028_minutes_by_day 0029_rerates_by_tenant

-- migrate: apply

-- From now on whoever asks for what is before `until` is answered by hours and days; minutes tell what of them waits to be
-- rolled up. Whole days (UTC), and 31 of them stay, whoever asks. Nobody vacuums them any more: a table that is vacuumed
-- cannot be dropped, and this one is, with all its rows that are gone.
CREATE FUNCTION let_minutes_go(until timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    day date;
BEGIN
    IF until <> date_trunc('day', until) OR until > now() - interval '31 days' THEN
        RAISE EXCEPTION 'minutes are let go by whole days (UTC), and stay for 31, so not those before %', until;
    END IF;
    INSERT INTO minutes_kept AS k (since) VALUES (until)
    ON CONFLICT (alone) DO UPDATE SET since = excluded.since WHERE k.since < excluded.since;
    FOR day IN SELECT d FROM minutes_days() AS d WHERE d::timestamptz < until LOOP
        EXECUTE format('ALTER TABLE minutes.%I SET (autovacuum_enabled = false)', 'day_' || to_char(day, 'YYYYMMDD'));
    END LOOP;
END
$$;

-- Takes a tenant's minutes in [since, until) away, which were let go, and says what lanes booked in them: as its caller
-- freezes just that, in the same transaction, nothing is in both or in neither. What corrections added goes unsaid: hours
-- and days have it.
CREATE FUNCTION take_minutes(of_tenant text, since timestamptz, until timestamptz)
RETURNS TABLE (bucket timestamptz, series_id bytea, currency text, events bigint, unpriced_events bigint, list numeric,
    contracted numeric, effective numeric, of_which_provisional numeric, usage jsonb,
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric, reasoning_tokens numeric, embedding_tokens numeric, requests numeric,
    searches numeric)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms'
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    IF NOT EXISTS (SELECT FROM minutes_kept k WHERE k.since >= take_minutes.until) THEN
        RAISE EXCEPTION 'minutes before % are not let go', take_minutes.until;
    END IF;
    RETURN QUERY WITH taken AS (
        DELETE FROM rollups_minute m
        WHERE m.tenant = of_tenant AND m.bucket >= take_minutes.since AND m.bucket < take_minutes.until
        RETURNING m.*
    )
    SELECT t.bucket, t.series_id, t.currency, t.events, t.unpriced_events, t.list, t.contracted, t.effective,
        t.of_which_provisional, t.usage, t.input_tokens, t.output_tokens, t.cache_read_tokens, t.cache_write_5m_tokens,
        t.cache_write_1h_tokens, t.reasoning_tokens, t.embedding_tokens, t.requests, t.searches
    FROM taken t WHERE t.shard >= 0;
END
$$;

-- Drops the parts of the days before `until`, which were let go and are frozen. What was booked into them since is little,
-- and stays, in `earlier`: it has left a mark, or is rolled up into five minutes. Fails, and changes nothing, where it is
-- much, or where somebody reads minutes.
CREATE OR REPLACE FUNCTION drop_minutes(until timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '200ms'
SET plan_cache_mode = force_custom_plan SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
    moved_max CONSTANT int := 10000;
    moved int;
    day date;
BEGIN
    IF NOT EXISTS (SELECT FROM minutes_kept k WHERE k.since >= until) OR until <> date_trunc('day', until) THEN
        RAISE EXCEPTION 'minutes before % are not let go, or not by whole days (UTC)', until;
    END IF;
    IF (SELECT min(d)::timestamptz FROM minutes_days() AS d) >= until THEN
        RETURN;
    END IF;
    -- Waits for those who have read or booked minutes, and keeps others waiting no longer than its lock_timeout.
    LOCK TABLE ONLY rollups_minute IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE minutes.earlier RENAME TO gone;
    CREATE TABLE minutes.earlier (LIKE rollups_minute INCLUDING ALL) WITH (fillfactor = 60);
    INSERT INTO minutes.earlier
    WITH RECURSIVE met AS (
        (SELECT r.tenant FROM rollups r ORDER BY r.tenant LIMIT 1)
        UNION ALL
        SELECT (SELECT r.tenant FROM rollups r WHERE r.tenant > met.tenant ORDER BY r.tenant LIMIT 1)
        FROM met WHERE met.tenant IS NOT NULL
    ), late AS (
        SELECT t.tenant, t.bucket FROM touched t WHERE t.size = 'five_minutes' AND t.bucket < until
        UNION
        SELECT r.tenant, r.bucket FROM met JOIN rollups r
            ON r.tenant = met.tenant AND r.size = 'five_minutes' AND r.part = 0 AND r.bucket < until
    )
    SELECT m.* FROM late l CROSS JOIN LATERAL (
        SELECT * FROM rollups_minute m
        WHERE m.tenant = l.tenant AND m.bucket >= l.bucket AND m.bucket < l.bucket + interval '5 minutes'
    ) AS m
    LIMIT moved_max + 1;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved > moved_max THEN
        RAISE EXCEPTION 'too much from before % was booked meanwhile', until USING ERRCODE = 'serialization_failure';
    END IF;
    DROP TABLE minutes.gone;
    FOR day IN SELECT d FROM minutes_days() AS d WHERE d::timestamptz < until LOOP
        EXECUTE format('DROP TABLE minutes.%I', 'day_' || to_char(day, 'YYYYMMDD'));
    END LOOP;
    EXECUTE format('ALTER TABLE rollups_minute ATTACH PARTITION minutes.earlier FOR VALUES FROM (MINVALUE) TO (%L)', until);
END
$$;

REVOKE ALL ON FUNCTION let_minutes_go(timestamptz), take_minutes(text, timestamptz, timestamptz) FROM PUBLIC;

-- migrate: rollback

CREATE OR REPLACE FUNCTION drop_minutes(until timestamptz) RETURNS void
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
DROP FUNCTION take_minutes(text, timestamptz, timestamptz);
DROP FUNCTION let_minutes_go(timestamptz);
