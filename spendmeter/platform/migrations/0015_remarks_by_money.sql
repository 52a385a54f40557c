-- Under remarks the most money first: a sender who makes regions up pushed everybody's real ones out of the list.
-- depends: 0014_pulls

-- migrate: apply

-- Of the transaction's tenant; of every tenant for '*'. A row for each provider, kind of remark, value and
-- currency, whatever their capitals, the most money first. `tenants`: the first of them. `samples`: some of the
-- last events.
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
        ORDER BY max(r.last_at) DESC, 1, 2, 3, 4 LIMIT rows_max
    ) AS u
    ORDER BY u.last_at DESC, u.kind, u.provider, u.value, u.currency
$$;
