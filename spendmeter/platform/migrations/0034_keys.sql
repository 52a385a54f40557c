-- A key has a rate, a second secret while it is rotated, and a day on which it was last used.
-- depends: 0031_minutes_let_go

-- migrate: apply

-- Rotation keeps the key's id, and with it every series, budget and rule that names it: for a while both secrets open.
ALTER TABLE api_keys
    ADD COLUMN former_sha256 bytea,
    ADD COLUMN former_until timestamptz,
    ADD COLUMN rotated_at timestamptz,
    ADD COLUMN events_per_minute int CHECK (events_per_minute > 0),
    ADD CONSTRAINT former_secret CHECK ((former_sha256 IS NULL) = (former_until IS NULL));

-- When each service last saw each key: roughly, for it is noted in memory and written in the background.
CREATE TABLE key_uses (
    key_id text NOT NULL REFERENCES api_keys,
    service text NOT NULL,
    last_used_at timestamptz NOT NULL,
    PRIMARY KEY (key_id, service)
);

-- Of keys that are not there, and times that are older than what stands, nothing comes.
CREATE FUNCTION note_key_uses(by_service text, key_ids text[], at timestamptz[])
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    INSERT INTO key_uses AS u (key_id, service, last_used_at)
    SELECT k.key_id, by_service, seen.at FROM unnest(key_ids, at) AS seen (key_id, at) JOIN api_keys k USING (key_id)
    ORDER BY k.key_id
    ON CONFLICT (key_id, service) DO UPDATE SET last_used_at = excluded.last_used_at
    WHERE u.last_used_at < excluded.last_used_at
$$;

DROP FUNCTION live_keys();
CREATE FUNCTION live_keys()
RETURNS TABLE (key_id text, tenant text, secret_sha256 bytea, scopes text[], expires_at timestamptz,
    former_sha256 bytea, former_until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.key_id, k.tenant, k.secret_sha256, k.scopes, k.expires_at, k.former_sha256, k.former_until FROM api_keys k
    WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;

-- migrate: rollback

DROP FUNCTION live_keys();
CREATE FUNCTION live_keys()
RETURNS TABLE (key_id text, tenant text, secret_sha256 bytea, scopes text[], expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.key_id, k.tenant, k.secret_sha256, k.scopes, k.expires_at FROM api_keys k
    WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;
DROP FUNCTION note_key_uses(text, text[], timestamptz[]);
DROP TABLE key_uses;
ALTER TABLE api_keys DROP CONSTRAINT former_secret, DROP COLUMN events_per_minute, DROP COLUMN rotated_at,
    DROP COLUMN former_until, DROP COLUMN former_sha256;
