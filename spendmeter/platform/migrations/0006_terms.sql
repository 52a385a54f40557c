-- Terms: in what a tenant counts, through time, from the catalog alone.
-- depends: 0005_catalog_admin

-- migrate: apply

-- A row a stretch, from the catalog's terms in force and in the same transaction as they; nobody else writes it.
-- What a tenant has stated nothing for (all of its time, or the time before its first terms) has no row: there
-- the contract's defaults hold. entry '' = copied from the columns that this migration drops, until `migrate`
-- has stated it in the catalog, too.
CREATE TABLE tenant_terms (
    tenant text NOT NULL,
    effective_from timestamptz NOT NULL,
    effective_to timestamptz NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    zone text NOT NULL,
    first_weekday smallint NOT NULL CHECK (first_weekday BETWEEN 1 AND 7),
    fiscal_start_month smallint NOT NULL CHECK (fiscal_start_month BETWEEN 1 AND 12),
    entry text NOT NULL,
    version int NOT NULL,
    PRIMARY KEY (tenant, effective_from),
    CHECK (effective_from < effective_to)
);

-- Makes these tenants' rows equal to the catalog. An entry leaves out what is usual.
CREATE FUNCTION settle_tenant_terms(of_tenants text[]) RETURNS void
LANGUAGE sql SET search_path = public, pg_temp AS $$
    DELETE FROM tenant_terms WHERE tenant = ANY (of_tenants);
    INSERT INTO tenant_terms
    SELECT tenant, since, lead(since, 1, 'infinity'::timestamptz) OVER (PARTITION BY tenant ORDER BY since), currency, zone,
        first_weekday, fiscal_start_month, id, version
    FROM (
        SELECT c.tenant, coalesce((c.body::jsonb ->> 'effective_from')::timestamptz, '-infinity'),
            coalesce(c.body::jsonb ->> 'currency', 'USD'), coalesce(c.body::jsonb ->> 'time_zone', 'UTC'),
            coalesce((c.body::jsonb ->> 'first_weekday')::smallint, 1),
            coalesce((c.body::jsonb ->> 'fiscal_start_month')::smallint, 1), c.id, c.version
        FROM catalog_entries c
        WHERE c.type = 'spendmeter.catalog.tenant.v1' AND c.tenant = ANY (of_tenants) AND c.id NOT IN (
            SELECT named.id FROM catalog_entries w, jsonb_array_elements_text(w.body::jsonb -> 'entries') AS named (id)
            WHERE w.type = 'spendmeter.catalog.withdrawal.v1'
        )
    ) AS stated (tenant, since, currency, zone, first_weekday, fiscal_start_month, id, version)
$$;

SELECT settle_tenant_terms(ARRAY(SELECT tenant FROM catalog_entries WHERE type = 'spendmeter.catalog.tenant.v1'));

-- Rating never knew these columns: where something was booked, it is in US dollars, whatever they say.
INSERT INTO tenant_terms
SELECT tenant, '-infinity', 'infinity',
    CASE WHEN EXISTS (SELECT FROM series s WHERE s.tenant = t.tenant) THEN 'USD' ELSE currency END,
    zone, 1, fiscal_start_month, '', 0
FROM tenants t
WHERE (currency, zone, fiscal_start_month) <> ('USD', 'UTC', 1) AND tenant NOT IN (SELECT tenant FROM tenant_terms);

ALTER TABLE tenants DROP COLUMN currency, DROP COLUMN zone, DROP COLUMN fiscal_start_month;

-- In what each counts now; null = it has stated nothing.
CREATE OR REPLACE FUNCTION all_tenants() RETURNS TABLE (tenant text, name text, currency text, zone text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant, t.name, s.currency, s.zone FROM tenants t LEFT JOIN tenant_terms s
        ON s.tenant = t.tenant AND s.effective_from <= now() AND s.effective_to > now()
    ORDER BY t.tenant
$$;

-- As it was, and terms with their stretches.
CREATE OR REPLACE FUNCTION catalog_record(new_version int, bodies text[], by text, why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    acting text := coalesce(current_setting('app.tenant', true), '');
BEGIN
    IF new_version <> catalog_next() THEN
        RAISE 'publication % is not the next one', new_version;
    END IF;
    INSERT INTO catalog_entries (id, tenant, type, body, version, recorded_by)
    SELECT b::jsonb ->> 'id', coalesce(b::jsonb ->> 'tenant', ''), b::jsonb ->> 'type', b, new_version, by
    FROM unnest(bodies) AS b;
    IF session_user <> current_user AND acting <> '*' AND EXISTS (
        SELECT FROM catalog_entries c WHERE c.version = new_version AND (c.tenant <> acting OR c.tenant = '')
    ) THEN
        RAISE insufficient_privilege USING MESSAGE = format('an entry is not of tenant %L', acting);
    END IF;
    INSERT INTO catalog_publications (version, entries, note)
    SELECT new_version, count(*), why FROM catalog_entries;
    PERFORM settle_tenant_terms(ARRAY(
        SELECT c.tenant FROM catalog_entries c
        WHERE c.type = 'spendmeter.catalog.tenant.v1' AND (c.version = new_version OR c.id IN (
            SELECT named.id FROM catalog_entries w, jsonb_array_elements_text(w.body::jsonb -> 'entries') AS named (id)
            WHERE w.version = new_version AND w.type = 'spendmeter.catalog.withdrawal.v1'))
    ));
END
$$;

-- Booked in another currency than the tenant's terms say: its rater had an older book. Whoever re-rates begins
-- here.
CREATE TABLE late_rated (
    identity bytea PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    catalog_version int NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);

-- migrate: rollback

DROP TABLE late_rated;
CREATE OR REPLACE FUNCTION catalog_record(new_version int, bodies text[], by text, why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    acting text := coalesce(current_setting('app.tenant', true), '');
BEGIN
    IF new_version <> catalog_next() THEN
        RAISE 'publication % is not the next one', new_version;
    END IF;
    INSERT INTO catalog_entries (id, tenant, type, body, version, recorded_by)
    SELECT b::jsonb ->> 'id', coalesce(b::jsonb ->> 'tenant', ''), b::jsonb ->> 'type', b, new_version, by
    FROM unnest(bodies) AS b;
    IF session_user <> current_user AND acting <> '*' AND EXISTS (
        SELECT FROM catalog_entries c WHERE c.version = new_version AND (c.tenant <> acting OR c.tenant = '')
    ) THEN
        RAISE insufficient_privilege USING MESSAGE = format('an entry is not of tenant %L', acting);
    END IF;
    INSERT INTO catalog_publications (version, entries, note)
    SELECT new_version, count(*), why FROM catalog_entries;
END
$$;
ALTER TABLE tenants
    ADD COLUMN currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    ADD COLUMN zone text NOT NULL DEFAULT 'UTC',
    ADD COLUMN fiscal_start_month smallint NOT NULL DEFAULT 1 CHECK (fiscal_start_month BETWEEN 1 AND 12);
UPDATE tenants t SET currency = s.currency, zone = s.zone, fiscal_start_month = s.fiscal_start_month
FROM tenant_terms s WHERE s.tenant = t.tenant AND s.effective_from <= now() AND s.effective_to > now();
CREATE OR REPLACE FUNCTION all_tenants() RETURNS TABLE (tenant text, name text, currency text, zone text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant, t.name, t.currency, t.zone FROM tenants t ORDER BY t.tenant
$$;
DROP FUNCTION settle_tenant_terms(text[]);
DROP TABLE tenant_terms;
