-- What senders do not see by themselves: fields that were dropped, and events that were not booked, by key.
-- depends: 0009_incidents

-- migrate: apply

-- Names alone, never values. tenant '' = an operator's key. Ingest keeps it to 100 names a key.
CREATE TABLE dropped_names (
    tenant text NOT NULL,
    key_id text NOT NULL,
    name text NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    requests bigint NOT NULL CHECK (requests > 0),
    PRIMARY KEY (tenant, key_id, name)
);

-- '' = the event named none, or was booked aside before this column was there.
ALTER TABLE unbooked ADD COLUMN key_id text NOT NULL DEFAULT '';

-- What was not booked, by the key that sent it, counted since this table was made. Written by the booking
-- transaction; a row belongs to one partition's lane, so nobody waits.
CREATE TABLE accounting_keys (
    partition int NOT NULL,
    tenant text NOT NULL,
    key_id text NOT NULL,
    duplicate bigint NOT NULL DEFAULT 0,
    conflict bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (partition, tenant, key_id)
) WITH (fillfactor = 50);

-- Of the transaction's tenant; of all for '*', an operator who chose none. The latest first.
CREATE FUNCTION dropped_names_seen(since timestamptz, names_max int)
RETURNS TABLE (tenant text, key_id text, key_name text, name text, first_at timestamptz, last_at timestamptz,
    requests bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT d.tenant, d.key_id, coalesce(k.name, ''), d.name, d.first_at, d.last_at, d.requests
    FROM dropped_names d LEFT JOIN api_keys k USING (key_id)
    WHERE d.last_at >= since AND current_setting('app.tenant', true) IN ('*', d.tenant)
    ORDER BY d.last_at DESC, d.tenant, d.key_id, d.name LIMIT names_max
$$;

-- Of the transaction's tenant; without one of all, as accounting_by_tenant. Keys with most trouble first.
CREATE FUNCTION accounting_by_key(keys_max int)
RETURNS TABLE (tenant text, key_id text, duplicate bigint, conflict bigint, rejected bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.tenant, a.key_id, sum(a.duplicate)::bigint, sum(a.conflict)::bigint, sum(a.rejected)::bigint
    FROM accounting_keys a
    WHERE coalesce(current_setting('app.tenant', true), '') IN ('', '*', a.tenant)
    GROUP BY a.tenant, a.key_id
    ORDER BY sum(a.conflict + a.rejected) DESC, sum(a.duplicate) DESC, a.tenant, a.key_id LIMIT keys_max
$$;

-- migrate: rollback

DROP FUNCTION accounting_by_key(int);
DROP FUNCTION dropped_names_seen(timestamptz, int);
DROP TABLE accounting_keys;
ALTER TABLE unbooked DROP COLUMN key_id;
DROP TABLE dropped_names;
