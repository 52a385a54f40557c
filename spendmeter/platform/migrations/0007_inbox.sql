-- The inbox says from when on usage waits for a rate or a price, and why it was booked without one.
-- depends: 0006_terms

-- migrate: apply

DROP FUNCTION catalog_unknown(timestamptz);
-- Usage that was booked without a price, or at a bound, of the transaction's tenant; of every tenant for '*'.
-- `earliest`: its first minute, by the events' own time. `samples` and their `lines`: some of the first and of
-- the last events without an amount, for a rollup knows no unit that no catalog does, and no reason.
CREATE FUNCTION catalog_unknown(since timestamptz)
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

-- migrate: rollback

DROP FUNCTION catalog_unknown(timestamptz);
CREATE FUNCTION catalog_unknown(since timestamptz)
RETURNS TABLE (tenant text, provider text, sku text, currency text, first_seen timestamptz, last_seen timestamptz,
    events bigint, unpriced_events bigint, provisional numeric, usage jsonb, samples text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.*, CASE WHEN u.unpriced_events > 0 THEN ARRAY(
        SELECT e.event FROM entries e JOIN series s USING (tenant, series_id)
        WHERE e.occurred_at >= u.last_seen AND e.occurred_at < u.last_seen + interval '1 minute'
            AND e.status = 'unpriced' AND (e.tenant, s.provider, s.sku) = (u.tenant, u.provider, u.sku)
        ORDER BY e.occurred_at DESC LIMIT 3
    ) ELSE '{}' END
    FROM (
        SELECT r.tenant, s.provider, s.sku, r.currency, min(greatest(r.bucket, s.first_seen)), max(r.bucket),
            sum(r.events)::bigint, sum(r.unpriced_events)::bigint, sum(r.of_which_provisional),
            usage_total(r.usage)
        FROM rollups_minute r JOIN series s USING (tenant, series_id)
        WHERE (r.of_which_provisional > 0 OR r.unpriced_events > 0) AND r.bucket >= since
            AND current_setting('app.tenant', true) IN ('*', r.tenant)
        GROUP BY 1, 2, 3, 4
    ) AS u (tenant, provider, sku, currency, first_seen, last_seen, events, unpriced_events, provisional, usage)
$$;
