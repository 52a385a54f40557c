-- Money at prices that do not mention how it was served, though the vendor charges by it.
-- depends: 0012_budgets_follow_terms

-- migrate: apply

-- By what the events state, spelt as they spell it: '' and false = no remark of that kind. An event is in one
-- row, whatever it has remarks of. shard as in rollups_minute, corrections -1: those subtract, and leave the
-- times, between which the events lie.
CREATE TABLE remarks_daily (
    tenant text NOT NULL,
    recorded_on date NOT NULL,
    shard int NOT NULL,
    provider text NOT NULL,
    batch boolean NOT NULL,
    tier text NOT NULL,
    region text NOT NULL,
    currency text NOT NULL,
    events bigint NOT NULL,
    effective numeric NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    CONSTRAINT remarks_daily_times_check CHECK (last_at >= first_at),
    CONSTRAINT remarks_daily_kinds_check CHECK (batch OR tier <> '' OR region <> ''),
    PRIMARY KEY (tenant, recorded_on, shard, provider, batch, tier, region, currency)
) WITH (fillfactor = 60);

-- Of the transaction's tenant; of all without one, or for '*', an operator who chose none. A row a book currency:
-- an event under several remarks counts once in the first two figures, and under each kind.
CREATE FUNCTION remarks_money()
RETURNS TABLE (currency text, events bigint, effective numeric, batch_events bigint, batch_effective numeric,
    tier_events bigint, tier_effective numeric, region_events bigint, region_effective numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT r.currency, sum(r.events)::bigint, sum(r.effective),
        coalesce(sum(r.events) FILTER (WHERE r.batch), 0)::bigint,
        coalesce(sum(r.effective) FILTER (WHERE r.batch), 0),
        coalesce(sum(r.events) FILTER (WHERE r.tier <> ''), 0)::bigint,
        coalesce(sum(r.effective) FILTER (WHERE r.tier <> ''), 0),
        coalesce(sum(r.events) FILTER (WHERE r.region <> ''), 0)::bigint,
        coalesce(sum(r.effective) FILTER (WHERE r.region <> ''), 0)
    FROM remarks_daily r
    WHERE coalesce(current_setting('app.tenant', true), '') IN ('', '*', r.tenant)
    GROUP BY r.currency ORDER BY r.currency
$$;

-- Of the transaction's tenant; of every tenant for '*'. A row for each provider, kind of remark, value and
-- currency, whatever their capitals, the latest first. `tenants`: the first of them. `samples`: some of the
-- last events.
CREATE FUNCTION remarks_seen(rows_max int)
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

-- migrate: rollback

DROP FUNCTION remarks_seen(int);
DROP FUNCTION remarks_money();
DROP TABLE remarks_daily;
