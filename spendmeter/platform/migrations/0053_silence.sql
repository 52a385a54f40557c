-- What alerts needs to know that a source, or the catalog, is silent: no more than that of tables it may not read.
-- depends: 0052_incident_acts

-- migrate: apply

-- Which of these keys, of the tenant's and operators', open nothing any more: they were revoked or have expired.
CREATE FUNCTION keys_gone(of_tenant text, ids text[]) RETURNS TABLE (key_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.key_id FROM api_keys k WHERE k.key_id = ANY (ids) AND k.tenant IN (of_tenant, '')
        AND (k.revoked_at IS NOT NULL OR k.expires_at <= now())
$$;

-- When a tenant's events of one key and minute were booked, the first of them: who reports hours later is no live source.
CREATE FUNCTION first_recorded(of_tenant text, of_key text, of_minute timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT min(e.recorded_at) FROM entries e JOIN series s USING (tenant, series_id)
    WHERE e.tenant = of_tenant AND s.key_id = of_key AND e.seq = 0
        AND e.occurred_at >= of_minute AND e.occurred_at < of_minute + interval '1 minute'
$$;

-- Of everybody's price lists and a tenant's own: when a price was last published; when a pull last read them whole, and
-- when one last did not, and why; whether they are pulled by a schedule, as one did within a month.
CREATE FUNCTION catalog_renewed(of_tenant text)
RETURNS TABLE (priced_at timestamptz, pulled_at timestamptz, failed_at timestamptz, says text, scheduled boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT
        (SELECT max(recorded_at) FROM catalog_entries
            WHERE tenant IN ('', of_tenant) AND type = 'spendmeter.catalog.price.v1'),
        max(ended_at) FILTER (WHERE state IN ('unchanged', 'nothing', 'proposed')),
        max(ended_at) FILTER (WHERE state IN ('refused', 'away', 'failed')),
        coalesce((array_agg(p.says ORDER BY ended_at DESC)
            FILTER (WHERE state IN ('refused', 'away', 'failed')))[1], ''),
        coalesce(bool_or(trigger = 'schedule' AND started_at >= now() - interval '30 days'), false)
    FROM catalog_pulls p WHERE p.tenant IN ('*', of_tenant)
$$;

-- migrate: rollback

DROP FUNCTION catalog_renewed(text);
DROP FUNCTION first_recorded(text, text, timestamptz);
DROP FUNCTION keys_gone(text, text[]);
