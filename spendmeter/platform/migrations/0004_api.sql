-- What api needs beyond its rows: functions that look past row-level security, each for one narrow answer.
-- depends: 0003_alerts

-- migrate: apply

-- A receipt is asked for by identity, and entries begin with the time. The identity is a digest over the
-- tenant, so nobody can ask for another tenant's; the entry itself is then read under row-level security.
CREATE FUNCTION find_occurred_at(wanted bytea) RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT i.occurred_at FROM identities i WHERE i.identity = wanted
$$;

-- An operator chooses among them, and every one needs next month's pseudonym key.
CREATE FUNCTION all_tenants() RETURNS TABLE (tenant text, name text, currency text, zone text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT t.tenant, t.name, t.currency, t.zone FROM tenants t ORDER BY t.tenant
$$;

-- What the catalog topic must hold, without reading every entry.
CREATE FUNCTION catalog_published() RETURNS TABLE (version int, entries int, published_at timestamptz, note text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.version, p.entries, p.published_at, p.note
    FROM catalog_publications p ORDER BY p.version DESC LIMIT 1
$$;

-- migrate: rollback

DROP FUNCTION catalog_published();
DROP FUNCTION all_tenants();
DROP FUNCTION find_occurred_at(bytea);
