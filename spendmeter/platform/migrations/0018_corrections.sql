-- Corrections: further, signed entries, and who writes them.
-- depends: 0017_unit_columns

-- migrate: apply

-- seq 0 is the usage as first booked. Then come pairs: an odd seq reverses the entry before it (its sums negated, all
-- else the same, without event and lines), and an even one replaces it. A retraction is a reversal that nothing
-- follows. A replacement without an event is about the last event stated below it. What the corrector writes it counts
-- without gaps, in the order of its commits: origin (-1, n).
ALTER TABLE entries
    ADD COLUMN correction_id text,
    ALTER COLUMN event DROP NOT NULL,
    ALTER COLUMN lines DROP NOT NULL,
    DROP CONSTRAINT entries_list_check,
    DROP CONSTRAINT entries_contracted_check,
    DROP CONSTRAINT entries_effective_check,
    ADD CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity'
        AND CASE WHEN seq % 2 = 0 THEN list >= 0 ELSE list <= 0 END),
    ADD CONSTRAINT entries_contracted_check CHECK (contracted > '-Infinity' AND contracted < 'Infinity'
        AND CASE WHEN seq % 2 = 0 THEN contracted >= 0 ELSE contracted <= 0 END),
    ADD CONSTRAINT entries_effective_check CHECK (effective > '-Infinity' AND effective < 'Infinity'
        AND CASE WHEN seq % 2 = 0 THEN effective >= 0 ELSE effective <= 0 END),
    ADD CONSTRAINT entries_kind_check CHECK (seq >= 0 AND CASE
        WHEN seq = 0 THEN correction_id IS NULL AND event IS NOT NULL AND lines IS NOT NULL AND origin_partition >= 0
        WHEN seq % 2 = 1 THEN correction_id IS NOT NULL AND event IS NULL AND lines IS NULL AND origin_partition = -1
        ELSE correction_id IS NOT NULL AND lines IS NOT NULL AND origin_partition = -1 END);

-- The book in the order in which it was written, partition by partition: whoever follows it keeps a mark for each. Not
-- unique: a topic that was created anew counts from 0 again (docs/stopped-line.md).
CREATE INDEX entries_origin ON entries (origin_partition, origin_offset);

-- What counts of each event now: the last entry, unless it is reversed. Its event is filled in.
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
WHERE e.seq % 2 = 0 AND NOT EXISTS (
    SELECT FROM entries r WHERE r.occurred_at = e.occurred_at AND r.identity = e.identity AND r.seq = e.seq + 1
);

-- How far usage.corrections is worked off, and the number of the next entry: moved from the sought values by every
-- transaction that corrects, which is what keeps a second corrector out.
CREATE TABLE corrector (
    alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
    topic text NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    next_entry bigint NOT NULL DEFAULT 0,
    moves bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    repeated bigint NOT NULL DEFAULT 0,
    stray bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);

-- Every correction that was asked for, and what became of it. accepted = applied + refused + duplicate + superseded +
-- waiting + unknown. Waiting: its event is not booked yet; log_ends[p + 1] is where partition p ended when it came,
-- and once all are booked up to there the event is unknown for good.
CREATE TABLE corrections (
    correction_id text NOT NULL,
    tenant text NOT NULL,
    identity bytea NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('amend', 'retract')),
    revision int NOT NULL,
    patch text,
    reason text NOT NULL,
    author text NOT NULL,
    requested_at timestamptz NOT NULL,
    state text NOT NULL
        CHECK (state IN ('applied', 'refused', 'duplicate', 'superseded', 'waiting', 'unknown')),
    why text NOT NULL DEFAULT '',
    seqs smallint[] NOT NULL DEFAULT '{}',
    accepted_at timestamptz NOT NULL DEFAULT now(),
    applied_at timestamptz,
    log_ends bigint[] CHECK ((log_ends IS NOT NULL) = (state = 'waiting')),
    PRIMARY KEY (correction_id, tenant)
);
CREATE INDEX corrections_identity ON corrections (identity);
CREATE INDEX corrections_tenant ON corrections (tenant, requested_at);
CREATE INDEX corrections_waiting ON corrections (accepted_at) WHERE state = 'waiting';

-- What the last amend and the retraction of an event said: the ledger holds its copies against it. An amend may change
-- nothing and leave no entry, yet those of a lower revision come too late: hence the version that it asked for.
CREATE TABLE corrected_identities (
    identity bytea PRIMARY KEY,
    revision int,
    amend_at timestamptz,
    amend_id text,
    amended_hash bytea,
    catalog_version int NOT NULL,
    retracted_at timestamptz,
    CHECK (num_nulls(revision, amend_at, amend_id, amended_hash) IN (0, 4))
);

-- What is asked of the book is asked of what is in force. Of a minute the shards are added up before it is asked whether
-- anything in it has no price: a correction takes that back in a shard of its own.
DROP INDEX rollups_minute_unknown;
CREATE INDEX rollups_minute_unknown ON rollups_minute (tenant, bucket)
    WHERE of_which_provisional <> 0 OR unpriced_events <> 0;

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

CREATE OR REPLACE FUNCTION catalog_events(of_series bytea[], since timestamptz, until timestamptz, events_max int)
RETURNS TABLE (occurred_at timestamptz, event text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.occurred_at, e.event FROM entries_in_force e
    WHERE e.occurred_at >= since AND e.occurred_at < until AND e.series_id = ANY (of_series)
        AND current_setting('app.tenant', true) IN ('*', e.tenant)
    ORDER BY e.occurred_at DESC LIMIT events_max
$$;

CREATE OR REPLACE FUNCTION remarks_seen(rows_max int)
RETURNS TABLE (kind text, provider text, value text, currency text, tenants text[], events bigint,
    effective numeric, first_at timestamptz, last_at timestamptz, samples text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.kind, u.provider, u.value, u.currency, u.tenants, u.events, u.effective, u.first_at, u.last_at,
        ARRAY(
            SELECT e.event FROM entries_in_force e
            WHERE e.occurred_at = u.last_at AND e.tenant = u.last_tenant AND strpos(e.lines, '"remarks"') > 0
                AND (u.kind = 'batch' OR strpos(lower(e.event), u.value) > 0)
            ORDER BY e.identity LIMIT 10
        )
    FROM (
        SELECT k.kind, lower(r.provider) AS provider, lower(k.value) AS value, r.currency,
            (array_agg(DISTINCT r.tenant ORDER BY r.tenant))[1:20] AS tenants, sum(r.events)::bigint AS events,
            sum(r.effective) AS effective, min(r.first_at) AS first_at, max(r.last_at) AS last_at,
            (array_agg(r.tenant ORDER BY r.last_at DESC))[1] AS last_tenant
        FROM remarks_daily r,
            LATERAL (VALUES ('batch', CASE WHEN r.batch THEN 'batch' ELSE '' END), ('tier', r.tier),
                ('region', r.region)) AS k (kind, value)
        WHERE k.value <> '' AND current_setting('app.tenant', true) IN ('*', r.tenant)
        GROUP BY 1, 2, 3, 4 HAVING sum(r.events) > 0
        ORDER BY sum(r.effective) DESC, 1, 2, 3, 4 LIMIT rows_max
    ) AS u
    ORDER BY u.effective DESC, u.kind, u.provider, u.value, u.currency
$$;

-- migrate: rollback

CREATE OR REPLACE FUNCTION remarks_seen(rows_max int)
RETURNS TABLE (kind text, provider text, value text, currency text, tenants text[], events bigint,
    effective numeric, first_at timestamptz, last_at timestamptz, samples text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.kind, u.provider, u.value, u.currency, u.tenants, u.events, u.effective, u.first_at, u.last_at,
        ARRAY(
            SELECT e.event FROM entries e
            WHERE e.occurred_at = u.last_at AND e.tenant = u.last_tenant AND strpos(e.lines, '"remarks"') > 0
                AND (u.kind = 'batch' OR strpos(lower(e.event), u.value) > 0)
            ORDER BY e.identity LIMIT 10
        )
    FROM (
        SELECT k.kind, lower(r.provider) AS provider, lower(k.value) AS value, r.currency,
            (array_agg(DISTINCT r.tenant ORDER BY r.tenant))[1:20] AS tenants, sum(r.events)::bigint AS events,
            sum(r.effective) AS effective, min(r.first_at) AS first_at, max(r.last_at) AS last_at,
            (array_agg(r.tenant ORDER BY r.last_at DESC))[1] AS last_tenant
        FROM remarks_daily r,
            LATERAL (VALUES ('batch', CASE WHEN r.batch THEN 'batch' ELSE '' END), ('tier', r.tier),
                ('region', r.region)) AS k (kind, value)
        WHERE k.value <> '' AND current_setting('app.tenant', true) IN ('*', r.tenant)
        GROUP BY 1, 2, 3, 4
        ORDER BY sum(r.effective) DESC, 1, 2, 3, 4 LIMIT rows_max
    ) AS u
    ORDER BY u.effective DESC, u.kind, u.provider, u.value, u.currency
$$;

CREATE OR REPLACE FUNCTION catalog_events(of_series bytea[], since timestamptz, until timestamptz, events_max int)
RETURNS TABLE (occurred_at timestamptz, event text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.occurred_at, e.event FROM entries e
    WHERE e.occurred_at >= since AND e.occurred_at < until AND e.series_id = ANY (of_series) AND e.seq = 0
        AND current_setting('app.tenant', true) IN ('*', e.tenant)
    ORDER BY e.occurred_at DESC LIMIT events_max
$$;

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
        FROM rollups_minute r JOIN series s USING (tenant, series_id)
        WHERE (r.of_which_provisional > 0 OR r.unpriced_events > 0) AND r.bucket >= since
            AND current_setting('app.tenant', true) IN ('*', r.tenant)
        GROUP BY 1, 2, 3, 4
    ) AS u (tenant, provider, sku, currency, first_seen, last_seen, earliest, events, unpriced_events, provisional,
        usage, first_unpriced, last_unpriced)
    LEFT JOIN LATERAL (
        SELECT array_agg(e.event) AS samples, array_agg(e.lines) AS lines FROM (
            (SELECT e.event, e.lines FROM entries e JOIN series s USING (tenant, series_id)
            WHERE e.occurred_at >= u.last_unpriced AND e.occurred_at < u.last_unpriced + interval '1 minute'
                AND e.status = 'unpriced' AND (e.tenant, s.provider, s.sku) = (u.tenant, u.provider, u.sku)
            ORDER BY e.occurred_at DESC LIMIT 5)
            UNION
            (SELECT e.event, e.lines FROM entries e JOIN series s USING (tenant, series_id)
            WHERE e.occurred_at >= u.first_unpriced AND e.occurred_at < u.first_unpriced + interval '1 minute'
                AND e.status = 'unpriced' AND (e.tenant, s.provider, s.sku) = (u.tenant, u.provider, u.sku)
            ORDER BY e.occurred_at LIMIT 5)
        ) AS e
    ) AS told ON u.unpriced_events > 0
$$;

DROP INDEX rollups_minute_unknown;
CREATE INDEX rollups_minute_unknown ON rollups_minute (tenant, bucket)
    WHERE of_which_provisional > 0 OR unpriced_events > 0;

DROP TABLE corrected_identities, corrections, corrector;
DROP VIEW entries_in_force;
DROP INDEX entries_origin;
ALTER TABLE entries
    DROP CONSTRAINT entries_kind_check,
    DROP COLUMN correction_id,
    ALTER COLUMN event SET NOT NULL,
    ALTER COLUMN lines SET NOT NULL,
    DROP CONSTRAINT entries_list_check,
    DROP CONSTRAINT entries_contracted_check,
    DROP CONSTRAINT entries_effective_check,
    ADD CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity' AND (seq > 0 OR list >= 0)),
    ADD CONSTRAINT entries_contracted_check
        CHECK (contracted > '-Infinity' AND contracted < 'Infinity' AND (seq > 0 OR contracted >= 0)),
    ADD CONSTRAINT entries_effective_check
        CHECK (effective > '-Infinity' AND effective < 'Infinity' AND (seq > 0 OR effective >= 0));
