-- When a tenant's keys were last used, for who may see them.
-- depends: 0065_audit

-- migrate: apply

-- Of the tenant that is acted for alone: key_uses names no tenant.
CREATE FUNCTION keys_used()
RETURNS TABLE (key_id text, last_used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.key_id, max(u.last_used_at) FROM key_uses u JOIN api_keys k USING (key_id)
    WHERE k.tenant = nullif(current_setting('app.tenant', true), '') GROUP BY u.key_id
$$;

-- migrate: rollback

DROP FUNCTION keys_used();
