-- Keys as a snapshot, and the portal's sessions.
-- depends: 0010_ingest

-- migrate: apply

-- Only a hash of what the cookie holds. A session is as good as its key: revoking that ends it.
CREATE TABLE sessions (
    token_sha256 bytea PRIMARY KEY CHECK (length(token_sha256) = 32),
    key_id text NOT NULL REFERENCES api_keys,
    opened_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_key ON sessions (key_id, opened_at);

-- Everything that opens the api, read as a whole: what a stranger presents is never a question to the database.
CREATE FUNCTION live_keys()
RETURNS TABLE (key_id text, tenant text, secret_sha256 bytea, scopes text[], expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.key_id, k.tenant, k.secret_sha256, k.scopes, k.expires_at FROM api_keys k
    WHERE k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
$$;

CREATE FUNCTION live_sessions()
RETURNS TABLE (token_sha256 bytea, key_id text, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.token_sha256, s.key_id, s.expires_at FROM sessions s WHERE s.expires_at > now()
$$;

-- A key has at most `at_most` sessions: the oldest goes for the newest.
CREATE FUNCTION open_session(token bytea, of_key text, lasts interval, at_most int)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM sessions WHERE expires_at <= now() OR token_sha256 IN (
        SELECT s.token_sha256 FROM sessions s WHERE s.key_id = of_key
        ORDER BY s.opened_at DESC OFFSET at_most - 1
    );
    INSERT INTO sessions (token_sha256, key_id, expires_at) VALUES (token, of_key, now() + lasts)
$$;

CREATE FUNCTION close_session(token bytea)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM sessions WHERE token_sha256 = token
$$;

DROP FUNCTION find_api_key(text);

-- migrate: rollback

CREATE FUNCTION find_api_key(wanted text)
RETURNS TABLE (tenant text, secret_sha256 bytea, scopes text[], expires_at timestamptz, revoked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.tenant, k.secret_sha256, k.scopes, k.expires_at, k.revoked_at FROM api_keys k WHERE k.key_id = wanted
$$;
DROP FUNCTION close_session(bytea), open_session(bytea, text, interval, int), live_sessions(), live_keys();
DROP TABLE sessions;
