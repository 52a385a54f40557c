-- As it stood: moments of the book, and what was recorded in another quarter of an hour than it happened in.
-- depends: 0075_model_days 0081_behind_book

-- migrate: apply

-- How far the book had come: of each partition (the corrector is -1) the account that was open, and its next offset. What
-- lies before these is what was in the book at that moment, and nothing else is. Nothing changed from `at` to `held_until`.
-- Written about once a second, thinned when old (docs/decisions/as-of.md).
CREATE TABLE moments (
    at timestamptz PRIMARY KEY,
    held_until timestamptz NOT NULL,
    partitions int[] NOT NULL,
    accounts int[] NOT NULL,
    next_offsets bigint[] NOT NULL,
    CHECK (held_until >= at AND cardinality(partitions) = cardinality(accounts)
        AND cardinality(partitions) = cardinality(next_offsets))
);

-- Up to where entries are in `recorded_apart`, as far as they belong there, and with which moment that began.
CREATE TABLE moment_marks (
    partition int NOT NULL,
    account int NOT NULL,
    begun_at timestamptz NOT NULL,
    next_offset bigint NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (partition, account)
) WITH (fillfactor = 20);

-- Sums of entries, reversals with their sign, whose first moment (`at`) lies in another quarter of an hour (UTC) than they
-- happened in: what came late or early, and corrections. By minute, and the same again by hour and by day (UTC).
-- `corrected`: what corrections are of `effective`. Rows are added and never changed once their moment is there.
CREATE TABLE recorded_apart (
    tenant text NOT NULL,
    size text NOT NULL CHECK (size IN ('minute', 'hour', 'day')),
    bucket timestamptz NOT NULL,
    at timestamptz NOT NULL,
    series_id bytea NOT NULL,
    currency text NOT NULL,
    events bigint NOT NULL,
    unpriced_events bigint NOT NULL,
    list numeric NOT NULL,
    contracted numeric NOT NULL,
    effective numeric NOT NULL,
    of_which_provisional numeric NOT NULL,
    usage jsonb,
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric, reasoning_tokens numeric, embedding_tokens numeric, requests numeric,
    searches numeric,
    corrected numeric NOT NULL,
    PRIMARY KEY (tenant, size, bucket, at, series_id, currency)
);

-- The units of the registry, and from which receipt on each is one: `migrate` keeps it as contracts/units.toml says.
CREATE TABLE registered_units (
    unit text PRIMARY KEY,
    since timestamptz NOT NULL
);

-- Asked for each quantity of a name that the registry does not have.
CREATE INDEX catalog_entries_units ON catalog_entries (version) WHERE type = 'spendmeter.catalog.unit.v1';

-- The quantities of an event that are added up, as spendmeter/contracts/counted.py says: those of units that the registry
-- or that version of the catalog has, and of other names the first eight.
CREATE FUNCTION counted_usage(usage jsonb, of_version int, received_at timestamptz) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT jsonb_object_agg(q.key, q.value) FROM (
        SELECT n.key, n.value, n.is_unit, row_number() OVER (PARTITION BY n.is_unit ORDER BY n.key COLLATE "C") AS place
        FROM (
            SELECT u.key, u.value, coalesce(r.since <= received_at, EXISTS (
                SELECT FROM catalog_entries c
                WHERE c.version <= of_version AND c.type = 'spendmeter.catalog.unit.v1' AND c.tenant = ''
                    AND c.body::jsonb ->> 'unit' = u.key
                    AND NOT EXISTS (
                        SELECT FROM catalog_entries w
                        WHERE w.version <= of_version AND w.type = 'spendmeter.catalog.withdrawal.v1' AND w.tenant = ''
                            AND w.body::jsonb -> 'entries' ? c.id)
            )) AS is_unit
            FROM jsonb_each(usage) AS u LEFT JOIN registered_units r ON r.unit = u.key
        ) AS n
    ) AS q
    WHERE q.is_unit OR received_at >= '2026-11-25T18:00Z' AND q.place <= 8
$$;
REVOKE ALL ON FUNCTION counted_usage(jsonb, int, timestamptz) FROM PUBLIC;

-- What each entry adds to the rollups. A correction that does not state the event is about the last one stated; what is
-- of no event (seq below 0) counts as none, and has no quantities.
CREATE VIEW entry_sums WITH (security_invoker = true) AS
SELECT e.tenant, e.occurred_at, e.recorded_at, e.origin_partition, e.origin_offset, e.series_id, e.currency,
    CASE WHEN e.seq >= 0 THEN 1 - 2 * (e.seq % 2)::bigint ELSE 0 END AS events,
    CASE WHEN e.status = 'unpriced' THEN 1 - 2 * (e.seq % 2)::bigint ELSE 0 END AS unpriced_events,
    e.list, e.contracted, e.effective,
    CASE WHEN e.status = 'provisional' THEN e.effective ELSE 0 END AS of_which_provisional,
    CASE WHEN q.rest <> '{}' THEN (
        SELECT jsonb_object_agg(u.key, (u.value #>> '{}')::numeric * (1 - 2 * (e.seq % 2))) FROM jsonb_each(q.rest) AS u
    ) END AS usage,
    (q.usage ->> 'input_tokens')::numeric * (1 - 2 * (e.seq % 2)) AS input_tokens,
    (q.usage ->> 'output_tokens')::numeric * (1 - 2 * (e.seq % 2)) AS output_tokens,
    (q.usage ->> 'cache_read_tokens')::numeric * (1 - 2 * (e.seq % 2)) AS cache_read_tokens,
    (q.usage ->> 'cache_write_5m_tokens')::numeric * (1 - 2 * (e.seq % 2)) AS cache_write_5m_tokens,
    (q.usage ->> 'cache_write_1h_tokens')::numeric * (1 - 2 * (e.seq % 2)) AS cache_write_1h_tokens,
    (q.usage ->> 'reasoning_tokens')::numeric * (1 - 2 * (e.seq % 2)) AS reasoning_tokens,
    (q.usage ->> 'embedding_tokens')::numeric * (1 - 2 * (e.seq % 2)) AS embedding_tokens,
    (q.usage ->> 'requests')::numeric * (1 - 2 * (e.seq % 2)) AS requests,
    (q.usage ->> 'searches')::numeric * (1 - 2 * (e.seq % 2)) AS searches,
    CASE WHEN e.origin_partition = -1 THEN e.effective ELSE 0 END AS corrected
FROM entries e CROSS JOIN LATERAL (
    SELECT usage,
        usage - '{input_tokens,output_tokens,cache_read_tokens,cache_write_5m_tokens,cache_write_1h_tokens,
                reasoning_tokens,embedding_tokens,requests,searches}'::text[] AS rest
    FROM (
        SELECT CASE WHEN stated.rest = '{}' THEN stated.usage
            ELSE counted_usage(stated.usage, e.catalog_version, coalesce(
                CASE WHEN pg_input_is_valid(stated.event ->> 'receivedat', 'timestamptz')
                    THEN (stated.event ->> 'receivedat')::timestamptz END,
                (SELECT f.recorded_at FROM entries f
                WHERE f.occurred_at = e.occurred_at AND f.identity = e.identity AND f.seq = 0))) END AS usage
        FROM (
            SELECT event, usage,
                usage - '{input_tokens,output_tokens,cache_read_tokens,cache_write_5m_tokens,cache_write_1h_tokens,
                reasoning_tokens,embedding_tokens,requests,searches}'::text[] AS rest
            FROM (
                SELECT event, CASE WHEN e.seq >= 0 THEN (event #> '{data,usage}')::jsonb ELSE '{}' END AS usage
                FROM (
                    -- Of an event that holds what no text can, its amounts alone.
                    SELECT CASE WHEN strpos(text, '\u') = 0 OR pg_input_is_valid(text, 'jsonb') THEN text::json END AS event
                    FROM (
                        SELECT coalesce(e.event, (
                            SELECT s.event FROM entries s
                            WHERE s.occurred_at = e.occurred_at AND s.identity = e.identity AND s.seq < e.seq
                                AND s.event IS NOT NULL
                            ORDER BY s.seq DESC LIMIT 1)) AS text
                    ) AS about OFFSET 0
                ) AS said OFFSET 0
            ) AS used OFFSET 0
        ) AS stated OFFSET 0
    ) AS counted OFFSET 0
) AS q;

-- The parts of [since, until) for which recorded_apart has rows of a size: days as far as they are whole, hours, minutes.
CREATE FUNCTION parts_of_time(since timestamptz, until timestamptz)
RETURNS TABLE (size text, part_since timestamptz, part_until timestamptz)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    WITH hours AS (
        SELECT date_bin('1 hour', since + interval '59 minutes 59.999999 seconds', 'epoch') AS first,
            date_bin('1 hour', until, 'epoch') AS last
    ), days AS (
        SELECT date_bin('1 day', since + interval '23 hours 59 minutes 59.999999 seconds', 'epoch') AS first,
            date_bin('1 day', until, 'epoch') AS last
    )
    SELECT p.* FROM hours h, days d, LATERAL (VALUES
        ('minute', since, CASE WHEN h.first < h.last THEN h.first ELSE until END),
        ('minute', CASE WHEN h.first < h.last THEN h.last ELSE until END, until),
        ('hour', h.first, CASE WHEN d.first < d.last THEN d.first ELSE h.last END),
        ('hour', CASE WHEN d.first < d.last THEN d.last ELSE h.last END, h.last),
        ('day', d.first, d.last)
    ) AS p (size, part_since, part_until)
    WHERE p.part_since < p.part_until
$$;

-- A map of unit to quantity with the signs turned.
CREATE FUNCTION usage_negated(usage jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN usage IS NOT NULL THEN (
        SELECT jsonb_object_agg(u.key, -(u.value::numeric)) FROM jsonb_each(usage) AS u
    ) END
$$;

-- What `spent` says, as it stood at the moment `app.as_of`, for the pieces that spendmeter/book/as_of.py makes of a
-- question. Before the moment's edge the rollups without what was recorded since; from there on what was in the book,
-- entry by entry within the moment's quarter of an hour, and beyond it as far as it was recorded early.
CREATE FUNCTION spent_as_of(of_tenant text, sizes text[], since timestamptz[], until timestamptz[])
RETURNS TABLE (bucket timestamptz, series_id bytea, currency text, events bigint, unpriced_events bigint, list numeric,
    contracted numeric, effective numeric, of_which_provisional numeric, usage jsonb,
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric, reasoning_tokens numeric, embedding_tokens numeric, requests numeric,
    searches numeric,
    corrected numeric)
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
DECLARE
    moment CONSTANT timestamptz := current_setting('app.as_of');
    quarter CONSTANT timestamptz := date_bin('15 minutes', moment, 'epoch');
    quarter_end CONSTANT timestamptz := quarter + interval '15 minutes';
    -- The last moment of its quarter holds all that was recorded in time in it.
    edge CONSTANT timestamptz := CASE WHEN (SELECT min(m.at) FROM moments m WHERE m.at > moment) >= quarter_end
        THEN quarter_end ELSE quarter END;
    -- By partition, the corrector first.
    next_of bigint[];
    begun_of timestamptz[];
    ended_of timestamptz[];
BEGIN
    SELECT array_agg(n.next_offset ORDER BY p), array_agg(n.begun_at ORDER BY p), array_agg(n.ended_at ORDER BY p)
    INTO next_of, begun_of, ended_of
    FROM (SELECT * FROM moments m WHERE m.at = moment) AS m
        CROSS JOIN generate_series(-1, (SELECT max(p) FROM unnest(m.partitions) AS p)) AS p
        LEFT JOIN LATERAL (
            SELECT n.next_offset,
                coalesce((SELECT c.ended_at FROM closed_accounts c WHERE c.partition = p AND n.account > 0
                    ORDER BY c.ended_at OFFSET greatest(n.account - 1, 0) LIMIT 1), '-infinity') AS begun_at,
                coalesce((SELECT c.ended_at FROM closed_accounts c WHERE c.partition = p
                    ORDER BY c.ended_at OFFSET n.account LIMIT 1), 'infinity') AS ended_at
            FROM unnest(m.partitions, m.accounts, m.next_offsets) AS n (partition, account, next_offset)
            WHERE n.partition = p
        ) AS n ON true;

    RETURN QUERY SELECT * FROM spent(of_tenant, sizes, since, until);

    RETURN QUERY
    SELECT r.bucket, r.series_id, r.currency, -r.events, -r.unpriced_events, -r.list, -r.contracted, -r.effective,
        -r.of_which_provisional, usage_negated(r.usage),
        -r.input_tokens, -r.output_tokens, -r.cache_read_tokens, -r.cache_write_5m_tokens, -r.cache_write_1h_tokens,
        -r.reasoning_tokens, -r.embedding_tokens, -r.requests, -r.searches, -r.corrected
    FROM unnest(sizes, since, until) AS piece (size, since, until)
        CROSS JOIN LATERAL parts_of_time(piece.since, least(piece.until, edge)) AS w
        CROSS JOIN LATERAL (
            SELECT * FROM recorded_apart a
            WHERE a.tenant = of_tenant AND a.size = w.size AND a.bucket >= w.part_since AND a.bucket < w.part_until
                AND a.at > moment
        ) AS r
    WHERE piece.size <> 'booked';

    -- What is in no moment yet.
    RETURN QUERY
    SELECT date_bin('1 minute', e.occurred_at, 'epoch'), e.series_id, e.currency, -e.events, -e.unpriced_events, -e.list,
        -e.contracted, -e.effective, -e.of_which_provisional, usage_negated(e.usage),
        -e.input_tokens, -e.output_tokens, -e.cache_read_tokens, -e.cache_write_5m_tokens, -e.cache_write_1h_tokens,
        -e.reasoning_tokens, -e.embedding_tokens, -e.requests, -e.searches, -e.corrected
    FROM moment_marks m
        CROSS JOIN LATERAL (
            SELECT * FROM entry_sums s
            WHERE s.origin_partition = m.partition AND s.origin_offset >= m.next_offset AND s.recorded_at >= m.begun_at
                AND s.tenant = of_tenant AND s.occurred_at < edge
        ) AS e
        JOIN unnest(sizes, since, until) AS piece (size, since, until)
            ON e.occurred_at >= piece.since AND e.occurred_at < piece.until AND piece.size <> 'booked'
    WHERE NOT EXISTS (SELECT FROM moment_marks l WHERE l.partition = m.partition AND l.account > m.account);

    -- Where an hour is all that is left of the time around the edge, what came into it later.
    RETURN QUERY
    SELECT date_bin('1 minute', e.occurred_at, 'epoch'), e.series_id, e.currency, -e.events, -e.unpriced_events, -e.list,
        -e.contracted, -e.effective, -e.of_which_provisional, usage_negated(e.usage),
        -e.input_tokens, -e.output_tokens, -e.cache_read_tokens, -e.cache_write_5m_tokens, -e.cache_write_1h_tokens,
        -e.reasoning_tokens, -e.embedding_tokens, -e.requests, -e.searches, -e.corrected
    FROM unnest(sizes, since, until) AS piece (size, since, until)
        CROSS JOIN LATERAL (
            SELECT * FROM entry_sums s
            WHERE s.tenant = of_tenant AND s.occurred_at >= greatest(piece.since, edge) AND s.occurred_at < piece.until
                AND NOT coalesce(s.recorded_at < begun_of[s.origin_partition + 2]
                    OR s.recorded_at < ended_of[s.origin_partition + 2]
                        AND s.origin_offset < next_of[s.origin_partition + 2], false)
        ) AS e
    WHERE piece.size <> 'booked' AND piece.until > edge;

    RETURN QUERY
    SELECT date_bin('1 minute', e.occurred_at, 'epoch'), e.series_id, e.currency, e.events, e.unpriced_events, e.list,
        e.contracted, e.effective, e.of_which_provisional, e.usage,
        e.input_tokens, e.output_tokens, e.cache_read_tokens, e.cache_write_5m_tokens, e.cache_write_1h_tokens,
        e.reasoning_tokens, e.embedding_tokens, e.requests, e.searches, e.corrected
    FROM unnest(sizes, since, until) AS piece (size, since, until)
        CROSS JOIN LATERAL (
            SELECT * FROM entry_sums s
            WHERE s.tenant = of_tenant AND s.occurred_at >= piece.since AND s.occurred_at < least(piece.until, quarter_end)
                AND (s.recorded_at < begun_of[s.origin_partition + 2]
                    OR s.recorded_at < ended_of[s.origin_partition + 2]
                        AND s.origin_offset < next_of[s.origin_partition + 2])
        ) AS e
    WHERE piece.size = 'booked' AND piece.since < quarter_end;

    RETURN QUERY
    SELECT r.bucket, r.series_id, r.currency, r.events, r.unpriced_events, r.list, r.contracted, r.effective,
        r.of_which_provisional, r.usage,
        r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_5m_tokens, r.cache_write_1h_tokens,
        r.reasoning_tokens, r.embedding_tokens, r.requests, r.searches, r.corrected
    FROM unnest(sizes, since, until) AS piece (size, since, until)
        CROSS JOIN LATERAL parts_of_time(greatest(piece.since, quarter_end), piece.until) AS w
        CROSS JOIN LATERAL (
            SELECT * FROM recorded_apart a
            WHERE a.tenant = of_tenant AND a.size = w.size AND a.bucket >= w.part_since AND a.bucket < w.part_until
                AND a.at <= moment
        ) AS r
    WHERE piece.size = 'booked';
END
$$;

-- migrate: rollback

DROP FUNCTION spent_as_of(text, text[], timestamptz[], timestamptz[]);
DROP FUNCTION usage_negated(jsonb);
DROP FUNCTION parts_of_time(timestamptz, timestamptz);
DROP VIEW entry_sums;
DROP FUNCTION counted_usage(jsonb, int, timestamptz);
DROP INDEX catalog_entries_units;
DROP TABLE registered_units, recorded_apart, moment_marks, moments;
