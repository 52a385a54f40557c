-- The book by the month in which it was recorded, and its identities by hash: what grows without end goes in parts.
-- depends: 0086_true_ups 0087_moments

-- migrate: apply

-- Nothing is booked or corrected meanwhile; whoever reads waits. All rows are written anew (docs/upgrading.md).
LOCK TABLE entries, identities, positions, corrector IN ACCESS EXCLUSIVE MODE;

-- On which day (UTC) the last was recorded. It never goes back, whatever the clock does: a day that is over is over.
ALTER TABLE positions ADD COLUMN recorded_on date;
ALTER TABLE corrector ADD COLUMN recorded_on date;

-- The month in which what happened then can have been recorded at the earliest: the door lets clocks be an hour fast, and
-- whoever writes sees to it that it holds. Who reads by the time of events says `recorded_on >= recorded_from(...)`, and no
-- earlier month is looked into.
CREATE FUNCTION recorded_from(occurred_at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT date_trunc('month', occurred_at AT TIME ZONE 'UTC' - interval '1 day')::date
$$;

DROP VIEW entry_sums, entries_in_force;
DROP INDEX entries_recorded_at, entries_origin, entries_tenant;
ALTER TABLE entries RENAME TO entries_before;
ALTER TABLE entries_before RENAME CONSTRAINT entries_pkey TO entries_before_pkey;
ALTER TABLE identities RENAME TO identities_before;
ALTER TABLE identities_before RENAME CONSTRAINT identities_pkey TO identities_before_pkey;

-- The columns in the order of their alignment, so that nothing is lost between them. The key has the month's column because
-- it must: that an identity is booked once rests on `identities`, and that it is corrected once on the row of `corrector`.
-- What corrects an entry is never recorded on an earlier day than the entry.
CREATE TABLE entries (
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    origin_offset bigint NOT NULL,
    origin_partition int NOT NULL,
    catalog_version int NOT NULL,
    accounting_period date NOT NULL,
    recorded_on date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    seq smallint NOT NULL DEFAULT 0,
    identity bytea NOT NULL,
    series_id bytea NOT NULL,
    tenant text NOT NULL,
    status text NOT NULL,
    currency text NOT NULL,
    list numeric NOT NULL,
    contracted numeric NOT NULL,
    effective numeric NOT NULL,
    event text,
    lines text,
    correction_id text,
    CONSTRAINT entries_status_check CHECK (status IN ('priced', 'free', 'reported', 'provisional', 'unpriced')),
    CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq = -2 THEN list = 0 WHEN seq % 2 = 0 THEN list >= 0 ELSE list <= 0 END)),
    CONSTRAINT entries_contracted_check CHECK (contracted > '-Infinity' AND contracted < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq = -2 THEN contracted = 0 WHEN seq % 2 = 0 THEN contracted >= 0
            ELSE contracted <= 0 END)),
    CONSTRAINT entries_effective_check CHECK (effective > '-Infinity' AND effective < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq = -2 THEN effective <> 0 WHEN seq % 2 = 0 THEN effective >= 0
            ELSE effective <= 0 END)),
    CONSTRAINT entries_kind_check CHECK ((seq >= 0 OR seq = -2) AND CASE
        WHEN seq = -2 THEN correction_id IS NULL AND event IS NOT NULL AND lines IS NOT NULL AND origin_partition = -1
            AND status = 'priced'
        WHEN seq = 0 THEN correction_id IS NULL AND event IS NOT NULL AND lines IS NOT NULL AND origin_partition >= 0
        WHEN seq % 2 = 1 THEN correction_id IS NOT NULL AND event IS NULL AND lines IS NULL AND origin_partition = -1
        ELSE correction_id IS NOT NULL AND lines IS NOT NULL AND origin_partition = -1 END),
    PRIMARY KEY (occurred_at, identity, seq, recorded_on)
) PARTITION BY RANGE (recorded_on);
CREATE INDEX entries_recorded_at ON entries USING brin (recorded_at);
CREATE INDEX entries_origin ON entries (origin_partition, origin_offset);
CREATE INDEX entries_tenant ON entries (tenant, occurred_at, identity, seq);

-- Of an identity that is claimed: when it happened, where it came from, and on which day its entry was recorded.
-- claimed_on: since when a copy is known for one (docs/decisions/entries-by-recorded-month.md).
CREATE TABLE identities (
    occurred_at timestamptz NOT NULL,
    origin_offset bigint NOT NULL,
    origin_partition int NOT NULL,
    recorded_on date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    claimed_on date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    identity bytea NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (identity)
) PARTITION BY HASH (identity);

-- The parts, in a schema that no role may use: each sees through the whole what it may see there.
CREATE SCHEMA recorded;

-- The months (UTC) that have a part, by their first days.
CREATE FUNCTION entries_months() RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT to_date(right(c.relname, 6), 'YYYYMM') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'public.entries'::regclass
$$;

-- Makes a part for each month from that of `since` to that of `until` that has none; how many. Nothing is locked that a
-- booking or a reader waits for.
CREATE FUNCTION make_months(since date, until date) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    month date;
    part text;
    made int := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('spendmeter.months'));
    FOR month IN
        SELECT m::date FROM generate_series(date_trunc('month', since), until, interval '1 month') AS m
        EXCEPT SELECT m FROM entries_months() AS m ORDER BY 1
    LOOP
        part := 'entries_' || to_char(month, 'YYYYMM');
        EXECUTE format('CREATE TABLE recorded.%I (LIKE entries INCLUDING ALL)', part);
        EXECUTE format('ALTER TABLE entries ATTACH PARTITION recorded.%I FOR VALUES FROM (%L) TO (%L)',
            part, month, (month + interval '1 month')::date);
        made := made + 1;
    END LOOP;
    RETURN made;
END
$$;

-- The same from this month on: what a process may do. Not more than 13 months ahead.
CREATE FUNCTION make_months(until date) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF until > (now() AT TIME ZONE 'UTC')::date + 400 THEN
        RAISE EXCEPTION 'months are made 13 ahead at most, and not until %', until;
    END IF;
    RETURN make_months((now() AT TIME ZONE 'UTC')::date, until);
END
$$;
REVOKE ALL ON FUNCTION recorded_from(timestamptz), entries_months(), make_months(date, date), make_months(date) FROM PUBLIC;

DO $$
BEGIN
    PERFORM make_months(least((now() AT TIME ZONE 'UTC')::date, (SELECT min(recorded_at AT TIME ZONE 'UTC')::date FROM entries_before)),
        (now() AT TIME ZONE 'UTC')::date + 366);
    FOR part IN 0 .. 15 LOOP
        EXECUTE format('CREATE TABLE recorded.identities_%s PARTITION OF identities FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
            to_char(part, 'FM00'), part);
    END LOOP;
END
$$;
INSERT INTO entries (occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, seq, identity,
    series_id, tenant, status, currency, list, contracted, effective, event, lines, correction_id,
    recorded_on)
SELECT occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, seq, identity,
    series_id, tenant, status, currency, list, contracted, effective, event, lines, correction_id,
    greatest((recorded_at AT TIME ZONE 'UTC')::date, recorded_from(occurred_at))
FROM entries_before;
INSERT INTO identities (occurred_at, origin_offset, origin_partition, identity, hash, recorded_on, claimed_on)
SELECT i.occurred_at, i.origin_offset, i.origin_partition, i.identity, i.hash, d.recorded_on, d.recorded_on
FROM identities_before i LEFT JOIN entries_before e
        ON e.occurred_at = i.occurred_at AND e.identity = i.identity AND e.seq = 0
    CROSS JOIN LATERAL (
        SELECT greatest((coalesce(e.recorded_at, now()) AT TIME ZONE 'UTC')::date, recorded_from(i.occurred_at)) AS recorded_on
    ) AS d;
DROP TABLE entries_before, identities_before;
UPDATE positions SET recorded_on = (SELECT max(recorded_at AT TIME ZONE 'UTC')::date FROM entries);
UPDATE corrector SET recorded_on = (SELECT max(recorded_at AT TIME ZONE 'UTC')::date FROM entries);
ANALYZE entries;
ANALYZE identities;

CREATE VIEW entries_in_force WITH (security_invoker = true) AS
SELECT e.occurred_at, e.recorded_at, e.origin_offset, e.origin_partition, e.catalog_version, e.accounting_period, e.seq,
    e.identity, e.series_id, e.tenant, e.status, e.currency, e.list, e.contracted, e.effective,
    coalesce(e.event, (
        SELECT s.event FROM entries s
        WHERE s.occurred_at = e.occurred_at AND s.identity = e.identity AND s.seq < e.seq AND s.event IS NOT NULL
            AND s.recorded_on BETWEEN recorded_from(e.occurred_at) AND e.recorded_on
        ORDER BY s.seq DESC LIMIT 1
    )) AS event,
    e.lines, e.correction_id, e.recorded_on
FROM entries e
WHERE e.seq >= 0 AND e.seq % 2 = 0 AND NOT EXISTS (
    SELECT FROM entries r WHERE r.occurred_at = e.occurred_at AND r.identity = e.identity AND r.seq = e.seq + 1
        AND r.recorded_on >= e.recorded_on
);

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
                WHERE f.occurred_at = e.occurred_at AND f.identity = e.identity AND f.seq = 0
                    AND f.recorded_on BETWEEN recorded_from(e.occurred_at) AND e.recorded_on))) END AS usage
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
                                AND s.event IS NOT NULL AND s.recorded_on BETWEEN recorded_from(e.occurred_at) AND e.recorded_on
                            ORDER BY s.seq DESC LIMIT 1)) AS text
                    ) AS about OFFSET 0
                ) AS said OFFSET 0
            ) AS used OFFSET 0
        ) AS stated OFFSET 0
    ) AS counted OFFSET 0
) AS q;

-- The functions that look for entries: pruned by when they were recorded.
DO $$
DECLARE
    change record;
    body text;
BEGIN
    FOR change IN SELECT * FROM (VALUES
        ('catalog_events(bytea[],timestamptz,timestamptz,int)',
            'e.occurred_at >= since AND e.occurred_at < until',
            'e.occurred_at >= since AND e.occurred_at < until AND e.recorded_on >= recorded_from(since)'),
        ('first_recorded(text,text,timestamptz)',
            'e.occurred_at < of_minute + interval ''1 minute''',
            'e.occurred_at < of_minute + interval ''1 minute'' AND e.recorded_on >= recorded_from(of_minute)'),
        ('remarks_seen(int)',
            'e.occurred_at = u.last_at AND',
            'e.occurred_at = u.last_at AND e.recorded_on >= recorded_from(u.last_at) AND'),
        ('catalog_unknown(timestamptz)',
            'occurred_at >= u.last_unpriced AND occurred_at < u.last_until',
            'occurred_at >= u.last_unpriced AND occurred_at < u.last_until AND recorded_on >= recorded_from(u.last_unpriced)'),
        ('catalog_unknown(timestamptz)',
            'occurred_at >= u.first_unpriced AND occurred_at < u.first_until',
            'occurred_at >= u.first_unpriced AND occurred_at < u.first_until AND recorded_on >= recorded_from(u.first_unpriced)'),
        ('was_retracted(bytea)',
            'occurred_at = find_occurred_at(booked) AND',
            'occurred_at = find_occurred_at(booked) AND recorded_on >= recorded_from(find_occurred_at(booked)) AND'),
        ('booked_instead(unbooked)',
            'e.occurred_at = find_occurred_at(u.identity) AND',
            'e.occurred_at = find_occurred_at(u.identity) AND e.recorded_on >= recorded_from(find_occurred_at(u.identity)) AND'),
        ('spent_as_of(text,text[],timestamptz[],timestamptz[])',
            'AND s.occurred_at >= greatest(piece.since, edge) AND',
            'AND s.occurred_at >= greatest(piece.since, edge) AND s.recorded_on >= recorded_from(greatest(piece.since, edge)) AND'),
        ('spent_as_of(text,text[],timestamptz[],timestamptz[])',
            'AND s.occurred_at >= piece.since AND',
            'AND s.occurred_at >= piece.since AND s.recorded_on >= recorded_from(piece.since) AND')
    ) AS n (function, before, after) LOOP
        body := pg_get_functiondef(change.function::regprocedure);
        ASSERT strpos(body, change.before) > 0, format('%s says something else by now', change.function);
        EXECUTE replace(body, change.before, change.after);
    END LOOP;
END
$$;

-- migrate: rollback

LOCK TABLE entries, identities, positions, corrector IN ACCESS EXCLUSIVE MODE;
-- The functions that look for entries: no longer by when they were recorded.
DO $$
DECLARE
    change record;
    body text;
BEGIN
    FOR change IN SELECT * FROM (VALUES
        ('catalog_events(bytea[],timestamptz,timestamptz,int)',
            'e.occurred_at >= since AND e.occurred_at < until',
            'e.occurred_at >= since AND e.occurred_at < until AND e.recorded_on >= recorded_from(since)'),
        ('first_recorded(text,text,timestamptz)',
            'e.occurred_at < of_minute + interval ''1 minute''',
            'e.occurred_at < of_minute + interval ''1 minute'' AND e.recorded_on >= recorded_from(of_minute)'),
        ('remarks_seen(int)',
            'e.occurred_at = u.last_at AND',
            'e.occurred_at = u.last_at AND e.recorded_on >= recorded_from(u.last_at) AND'),
        ('catalog_unknown(timestamptz)',
            'occurred_at >= u.last_unpriced AND occurred_at < u.last_until',
            'occurred_at >= u.last_unpriced AND occurred_at < u.last_until AND recorded_on >= recorded_from(u.last_unpriced)'),
        ('catalog_unknown(timestamptz)',
            'occurred_at >= u.first_unpriced AND occurred_at < u.first_until',
            'occurred_at >= u.first_unpriced AND occurred_at < u.first_until AND recorded_on >= recorded_from(u.first_unpriced)'),
        ('was_retracted(bytea)',
            'occurred_at = find_occurred_at(booked) AND',
            'occurred_at = find_occurred_at(booked) AND recorded_on >= recorded_from(find_occurred_at(booked)) AND'),
        ('booked_instead(unbooked)',
            'e.occurred_at = find_occurred_at(u.identity) AND',
            'e.occurred_at = find_occurred_at(u.identity) AND e.recorded_on >= recorded_from(find_occurred_at(u.identity)) AND'),
        ('spent_as_of(text,text[],timestamptz[],timestamptz[])',
            'AND s.occurred_at >= greatest(piece.since, edge) AND',
            'AND s.occurred_at >= greatest(piece.since, edge) AND s.recorded_on >= recorded_from(greatest(piece.since, edge)) AND'),
        ('spent_as_of(text,text[],timestamptz[],timestamptz[])',
            'AND s.occurred_at >= piece.since AND',
            'AND s.occurred_at >= piece.since AND s.recorded_on >= recorded_from(piece.since) AND')
    ) AS n (function, before, after) LOOP
        body := pg_get_functiondef(change.function::regprocedure);
        ASSERT strpos(body, change.after) > 0, format('%s says something else by now', change.function);
        EXECUTE replace(body, change.after, change.before);
    END LOOP;
END
$$;
DROP VIEW entry_sums, entries_in_force;
DROP INDEX entries_recorded_at, entries_origin, entries_tenant;
ALTER TABLE entries RENAME TO entries_before;
ALTER TABLE entries_before RENAME CONSTRAINT entries_pkey TO entries_before_pkey;
ALTER TABLE identities RENAME TO identities_before;
ALTER TABLE identities_before RENAME CONSTRAINT identities_pkey TO identities_before_pkey;
CREATE TABLE entries (
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    origin_offset bigint NOT NULL,
    origin_partition int NOT NULL,
    catalog_version int NOT NULL,
    accounting_period date NOT NULL,
    seq smallint NOT NULL DEFAULT 0,
    identity bytea NOT NULL,
    series_id bytea NOT NULL,
    tenant text NOT NULL,
    status text NOT NULL,
    currency text NOT NULL,
    list numeric NOT NULL,
    contracted numeric NOT NULL,
    effective numeric NOT NULL,
    event text,
    lines text,
    correction_id text,
    CONSTRAINT entries_status_check CHECK (status IN ('priced', 'free', 'reported', 'provisional', 'unpriced')),
    CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq = -2 THEN list = 0 WHEN seq % 2 = 0 THEN list >= 0 ELSE list <= 0 END)),
    CONSTRAINT entries_contracted_check CHECK (contracted > '-Infinity' AND contracted < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq = -2 THEN contracted = 0 WHEN seq % 2 = 0 THEN contracted >= 0
            ELSE contracted <= 0 END)),
    CONSTRAINT entries_effective_check CHECK (effective > '-Infinity' AND effective < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq = -2 THEN effective <> 0 WHEN seq % 2 = 0 THEN effective >= 0
            ELSE effective <= 0 END)),
    CONSTRAINT entries_kind_check CHECK ((seq >= 0 OR seq = -2) AND CASE
        WHEN seq = -2 THEN correction_id IS NULL AND event IS NOT NULL AND lines IS NOT NULL AND origin_partition = -1
            AND status = 'priced'
        WHEN seq = 0 THEN correction_id IS NULL AND event IS NOT NULL AND lines IS NOT NULL AND origin_partition >= 0
        WHEN seq % 2 = 1 THEN correction_id IS NOT NULL AND event IS NULL AND lines IS NULL AND origin_partition = -1
        ELSE correction_id IS NOT NULL AND lines IS NOT NULL AND origin_partition = -1 END),
    PRIMARY KEY (occurred_at, identity, seq)
);
CREATE TABLE identities (
    identity bytea PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    hash bytea NOT NULL,
    origin_partition int NOT NULL,
    origin_offset bigint NOT NULL
);
INSERT INTO entries (occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, seq, identity,
    series_id, tenant, status, currency, list, contracted, effective, event, lines, correction_id)
SELECT occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, seq, identity,
    series_id, tenant, status, currency, list, contracted, effective, event, lines, correction_id
FROM entries_before;
INSERT INTO identities (identity, occurred_at, hash, origin_partition, origin_offset)
SELECT identity, occurred_at, hash, origin_partition, origin_offset FROM identities_before;
DROP TABLE entries_before, identities_before;
CREATE INDEX entries_recorded_at ON entries USING brin (recorded_at);
CREATE INDEX entries_origin ON entries (origin_partition, origin_offset);
CREATE INDEX entries_tenant ON entries (tenant, occurred_at, identity, seq);
DROP FUNCTION make_months(date), make_months(date, date), entries_months(), recorded_from(timestamptz);
DROP SCHEMA recorded;
ALTER TABLE positions DROP COLUMN recorded_on;
ALTER TABLE corrector DROP COLUMN recorded_on;

CREATE VIEW entries_in_force WITH (security_invoker = true) AS
SELECT e.occurred_at, e.recorded_at, e.origin_offset, e.origin_partition, e.catalog_version, e.accounting_period, e.seq,
    e.identity, e.series_id, e.tenant, e.status, e.currency, e.list, e.contracted, e.effective,
    coalesce(e.event, (
        SELECT s.event FROM entries s
        WHERE s.occurred_at = e.occurred_at AND s.identity = e.identity AND s.seq < e.seq AND s.event IS NOT NULL
        ORDER BY s.seq DESC LIMIT 1
    )) AS event,
    e.lines, e.correction_id
FROM entries e
WHERE e.seq >= 0 AND e.seq % 2 = 0 AND NOT EXISTS (
    SELECT FROM entries r WHERE r.occurred_at = e.occurred_at AND r.identity = e.identity AND r.seq = e.seq + 1
);

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
