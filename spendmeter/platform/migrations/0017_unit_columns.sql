-- The commonest quantities have columns of their own in the rollups; others stay in `usage`, null where there are none.
-- depends: 0016_rollups

-- migrate: apply

ALTER TABLE rollups_minute
    ADD COLUMN input_tokens numeric,
    ADD COLUMN output_tokens numeric,
    ADD COLUMN cache_read_tokens numeric,
    ADD COLUMN cache_write_5m_tokens numeric,
    ADD COLUMN cache_write_1h_tokens numeric,
    ADD COLUMN reasoning_tokens numeric,
    ADD COLUMN embedding_tokens numeric,
    ADD COLUMN requests numeric,
    ADD COLUMN searches numeric,
    ALTER COLUMN usage DROP NOT NULL;
ALTER TABLE rollups
    ADD COLUMN input_tokens numeric,
    ADD COLUMN output_tokens numeric,
    ADD COLUMN cache_read_tokens numeric,
    ADD COLUMN cache_write_5m_tokens numeric,
    ADD COLUMN cache_write_1h_tokens numeric,
    ADD COLUMN reasoning_tokens numeric,
    ADD COLUMN embedding_tokens numeric,
    ADD COLUMN requests numeric,
    ADD COLUMN searches numeric,
    ALTER COLUMN usage DROP NOT NULL;

-- What is in the map already stays there, for no lock is held while millions of rows are written again: a unit's
-- quantity is what its column and the map say together. So nothing is lost either while a ledger of the release before
-- still runs, which adds to the map alone.

DROP FUNCTION spent(text, text[], timestamptz[], timestamptz[]);
CREATE FUNCTION spent(of_tenant text, sizes text[], since timestamptz[], until timestamptz[])
RETURNS TABLE (bucket timestamptz, series_id bytea, currency text, events bigint, unpriced_events bigint, list numeric,
    contracted numeric, effective numeric, of_which_provisional numeric, usage jsonb,
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric, reasoning_tokens numeric, embedding_tokens numeric, requests numeric,
    searches numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.* FROM unnest(sizes, since, until) AS piece (size, since, until) CROSS JOIN LATERAL (
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches
        FROM rollups
        WHERE tenant = of_tenant AND size = piece.size AND bucket >= piece.since AND bucket < piece.until
        UNION ALL
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches
        FROM rollups_minute
        WHERE piece.size = 'minute' AND tenant = of_tenant AND bucket >= piece.since AND bucket < piece.until
    ) AS r
$$;

-- As before; `usage` is what columns and map say together.
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

-- migrate: rollback

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
            usage_total(r.usage), min(r.bucket) FILTER (WHERE r.unpriced_events > 0),
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
DROP FUNCTION spent(text, text[], timestamptz[], timestamptz[]);
CREATE FUNCTION spent(of_tenant text, sizes text[], since timestamptz[], until timestamptz[])
RETURNS TABLE (bucket timestamptz, series_id bytea, currency text, events bigint, unpriced_events bigint, list numeric,
    contracted numeric, effective numeric, of_which_provisional numeric, usage jsonb)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.* FROM unnest(sizes, since, until) AS piece (size, since, until) CROSS JOIN LATERAL (
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage
        FROM rollups
        WHERE tenant = of_tenant AND size = piece.size AND bucket >= piece.since AND bucket < piece.until
        UNION ALL
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage
        FROM rollups_minute
        WHERE piece.size = 'minute' AND tenant = of_tenant AND bucket >= piece.since AND bucket < piece.until
    ) AS r
$$;
UPDATE rollups_minute SET usage = usage_sum(usage, jsonb_strip_nulls(jsonb_build_object(
    'input_tokens', input_tokens, 'output_tokens', output_tokens, 'cache_read_tokens', cache_read_tokens,
    'cache_write_5m_tokens', cache_write_5m_tokens, 'cache_write_1h_tokens', cache_write_1h_tokens,
    'reasoning_tokens', reasoning_tokens, 'embedding_tokens', embedding_tokens, 'requests', requests,
    'searches', searches)));
ALTER TABLE rollups_minute
    ALTER COLUMN usage SET NOT NULL,
    DROP COLUMN input_tokens,
    DROP COLUMN output_tokens,
    DROP COLUMN cache_read_tokens,
    DROP COLUMN cache_write_5m_tokens,
    DROP COLUMN cache_write_1h_tokens,
    DROP COLUMN reasoning_tokens,
    DROP COLUMN embedding_tokens,
    DROP COLUMN requests,
    DROP COLUMN searches;
UPDATE rollups SET usage = usage_sum(usage, jsonb_strip_nulls(jsonb_build_object(
    'input_tokens', input_tokens, 'output_tokens', output_tokens, 'cache_read_tokens', cache_read_tokens,
    'cache_write_5m_tokens', cache_write_5m_tokens, 'cache_write_1h_tokens', cache_write_1h_tokens,
    'reasoning_tokens', reasoning_tokens, 'embedding_tokens', embedding_tokens, 'requests', requests,
    'searches', searches)));
ALTER TABLE rollups
    ALTER COLUMN usage SET NOT NULL,
    DROP COLUMN input_tokens,
    DROP COLUMN output_tokens,
    DROP COLUMN cache_read_tokens,
    DROP COLUMN cache_write_5m_tokens,
    DROP COLUMN cache_write_1h_tokens,
    DROP COLUMN reasoning_tokens,
    DROP COLUMN embedding_tokens,
    DROP COLUMN requests,
    DROP COLUMN searches;
