-- Incidents as people read them: a title, figures with labels, names of keys, a link, and the peak, which stays.
-- depends: 0008_ledger

-- migrate: apply

-- figures: [{label, amount, unit, text}]; key_names: id to name, of the keys that the incident speaks of.
ALTER TABLE incidents
    ADD COLUMN title text NOT NULL DEFAULT '',
    ADD COLUMN figures jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN key_names jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN link text NOT NULL DEFAULT '',
    ADD COLUMN peak_per_hour numeric NOT NULL DEFAULT 0
        CHECK (peak_per_hour > '-Infinity' AND peak_per_hour < 'Infinity');
UPDATE incidents SET title = rule_name, peak_per_hour = rate_per_hour;

-- What people call a tenant's keys, and operators': alerts may not see what signs in.
CREATE FUNCTION key_names(of_tenant text, ids text[]) RETURNS TABLE (key_id text, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.key_id, k.name FROM api_keys k WHERE k.key_id = ANY (ids) AND k.tenant IN (of_tenant, '')
$$;

-- migrate: rollback

DROP FUNCTION key_names(text, text[]);
ALTER TABLE incidents DROP COLUMN title, DROP COLUMN figures, DROP COLUMN key_names, DROP COLUMN link,
    DROP COLUMN peak_per_hour;
