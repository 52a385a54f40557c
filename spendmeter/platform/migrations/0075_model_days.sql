-- What models were used for and how calls went by the day: what is compared without a filter reads no series.
-- depends: 0080_readouts_changed

-- migrate: apply

-- Sums of `cells` over the series of a model, whose cost class is model.
CREATE TABLE model_days (
    tenant text NOT NULL,
    day date NOT NULL,
    provider text NOT NULL,
    sku text NOT NULL,
    tier text NOT NULL,
    region text NOT NULL,
    batch boolean NOT NULL,
    currency text NOT NULL,
    unit text NOT NULL,
    status text NOT NULL,
    entry text NOT NULL,
    events bigint NOT NULL,
    quantity numeric NOT NULL,
    list numeric NOT NULL,
    effective numeric NOT NULL,
    PRIMARY KEY (tenant, day, provider, sku, tier, region, batch, currency, unit, status, entry)
) WITH (fillfactor = 50);

-- The same of `quality_hours`, in days of UTC.
CREATE TABLE model_call_days (
    tenant text NOT NULL,
    day date NOT NULL,
    provider text NOT NULL,
    sku text NOT NULL,
    call_status text NOT NULL,
    over_context int NOT NULL,
    latency int NOT NULL,
    calls bigint NOT NULL,
    PRIMARY KEY (tenant, day, provider, sku, call_status, over_context, latency)
) WITH (fillfactor = 50);

-- What a trigger of this kind of statement sees of the rows that it wrote and of those that it found.
CREATE FUNCTION rows_changed(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE kind
        WHEN 'INSERT' THEN 'SELECT 1 AS sign, * FROM written'
        WHEN 'UPDATE' THEN 'SELECT 1 AS sign, * FROM written UNION ALL SELECT -1, * FROM found'
        WHEN 'DELETE' THEN 'SELECT -1 AS sign, * FROM found'
    END
$$;

-- What a statement did to rows of cells is done to the sums, whoever wrote it, so the two are never out of step. It is
-- the owner's: no service can write a sum that nothing is in. Rows in the order of the key, as correctors write all.
CREATE FUNCTION sum_model_days() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format($sums$
        INSERT INTO model_days AS m
        SELECT c.tenant, c.day, s.provider, s.sku, c.tier, c.region, c.batch, c.currency, c.unit, c.status, c.entry,
            sum(sign * c.events), sum(sign * c.quantity), sum(sign * c.list), sum(sign * c.effective)
        FROM (%s) AS c JOIN series s USING (tenant, series_id)
        WHERE s.cost_class = 'model'
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
        ON CONFLICT (tenant, day, provider, sku, tier, region, batch, currency, unit, status, entry) DO UPDATE SET
            events = m.events + excluded.events,
            quantity = m.quantity + excluded.quantity,
            list = m.list + excluded.list,
            effective = m.effective + excluded.effective
    $sums$, rows_changed(TG_OP));
    RETURN NULL;
END
$$;

CREATE FUNCTION sum_model_call_days() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format($sums$
        INSERT INTO model_call_days AS m
        SELECT q.tenant, (q.hour AT TIME ZONE 'UTC')::date, s.provider, s.sku, q.call_status, q.over_context, q.latency,
            sum(sign * q.calls)
        FROM (%s) AS q JOIN series s USING (tenant, series_id)
        WHERE s.cost_class = 'model'
        GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
        ON CONFLICT (tenant, day, provider, sku, call_status, over_context, latency) DO UPDATE SET
            calls = m.calls + excluded.calls
    $sums$, rows_changed(TG_OP));
    RETURN NULL;
END
$$;

CREATE FUNCTION empty_sums() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('TRUNCATE %I', TG_ARGV[0]);
    RETURN NULL;
END
$$;

-- First, for they let nobody write until all that was written before is summed up below.
CREATE TRIGGER sum_inserted AFTER INSERT ON cells REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION sum_model_days();
CREATE TRIGGER sum_updated AFTER UPDATE ON cells REFERENCING OLD TABLE AS found NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION sum_model_days();
CREATE TRIGGER sum_deleted AFTER DELETE ON cells REFERENCING OLD TABLE AS found
    FOR EACH STATEMENT EXECUTE FUNCTION sum_model_days();
CREATE TRIGGER sum_truncated AFTER TRUNCATE ON cells FOR EACH STATEMENT EXECUTE FUNCTION empty_sums('model_days');
CREATE TRIGGER sum_inserted AFTER INSERT ON quality_hours REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION sum_model_call_days();
CREATE TRIGGER sum_updated AFTER UPDATE ON quality_hours REFERENCING OLD TABLE AS found NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION sum_model_call_days();
CREATE TRIGGER sum_deleted AFTER DELETE ON quality_hours REFERENCING OLD TABLE AS found
    FOR EACH STATEMENT EXECUTE FUNCTION sum_model_call_days();
CREATE TRIGGER sum_truncated AFTER TRUNCATE ON quality_hours FOR EACH STATEMENT EXECUTE FUNCTION empty_sums('model_call_days');

INSERT INTO model_days
SELECT c.tenant, c.day, s.provider, s.sku, c.tier, c.region, c.batch, c.currency, c.unit, c.status, c.entry, sum(c.events),
    sum(c.quantity), sum(c.list), sum(c.effective)
FROM cells c JOIN series s USING (tenant, series_id)
WHERE s.cost_class = 'model'
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11;
INSERT INTO model_call_days
SELECT q.tenant, (q.hour AT TIME ZONE 'UTC')::date, s.provider, s.sku, q.call_status, q.over_context, q.latency, sum(q.calls)
FROM quality_hours q JOIN series s USING (tenant, series_id)
WHERE s.cost_class = 'model'
GROUP BY 1, 2, 3, 4, 5, 6, 7;

-- What asks with a filter asks of some series: theirs lie together, a series' hours in their order.
ALTER TABLE quality_hours
    DROP CONSTRAINT quality_hours_pkey,
    ADD PRIMARY KEY (tenant, series_id, hour, call_status, over_context, latency);

-- migrate: rollback

ALTER TABLE quality_hours
    DROP CONSTRAINT quality_hours_pkey,
    ADD PRIMARY KEY (tenant, hour, series_id, call_status, over_context, latency);
DROP TRIGGER sum_inserted ON cells;
DROP TRIGGER sum_updated ON cells;
DROP TRIGGER sum_deleted ON cells;
DROP TRIGGER sum_truncated ON cells;
DROP TRIGGER sum_inserted ON quality_hours;
DROP TRIGGER sum_updated ON quality_hours;
DROP TRIGGER sum_deleted ON quality_hours;
DROP TRIGGER sum_truncated ON quality_hours;
DROP FUNCTION sum_model_days(), sum_model_call_days(), rows_changed(text), empty_sums();
DROP TABLE model_call_days, model_days;
