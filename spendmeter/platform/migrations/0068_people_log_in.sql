-- People log in: sessions of theirs, and what each may do as a snapshot.
-- depends: 0067_people 0063_saved_views

-- migrate: apply

-- A session is of a key or of a person; whoever has no role any more has none that opens.
ALTER TABLE sessions
    ALTER COLUMN key_id DROP NOT NULL,
    ADD COLUMN of_tenant text,
    ADD COLUMN person_id text,
    ADD CONSTRAINT sessions_of_one CHECK ((key_id IS NULL) = (person_id IS NOT NULL)),
    ADD CONSTRAINT sessions_person CHECK ((of_tenant IS NULL) = (person_id IS NULL));
CREATE INDEX sessions_person ON sessions (of_tenant, person_id, opened_at);

DROP FUNCTION live_sessions();
CREATE FUNCTION live_sessions()
RETURNS TABLE (token_sha256 bytea, key_id text, expires_at timestamptz, of_tenant text, person_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.token_sha256, s.key_id, s.expires_at, s.of_tenant, s.person_id FROM sessions s WHERE s.expires_at > now()
$$;

CREATE FUNCTION live_people()
RETURNS TABLE (tenant text, person_id text, role text, team text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.tenant, p.person_id, p.role, p.team FROM people p WHERE p.role <> ''
$$;

-- A person has at most `at_most` sessions of a tenant: the oldest goes for the newest.
CREATE FUNCTION open_person_session(token bytea, whose text, person text, lasts interval, at_most int)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM sessions WHERE expires_at <= now() OR token_sha256 IN (
        SELECT s.token_sha256 FROM sessions s WHERE s.of_tenant = whose AND s.person_id = person
        ORDER BY s.opened_at DESC OFFSET at_most - 1
    );
    INSERT INTO sessions (token_sha256, of_tenant, person_id, expires_at) VALUES (token, whose, person, now() + lasts)
$$;

-- migrate: rollback

DROP FUNCTION open_person_session(bytea, text, text, interval, int), live_people(), live_sessions();
DELETE FROM sessions WHERE key_id IS NULL;
DROP INDEX sessions_person;
ALTER TABLE sessions
    DROP CONSTRAINT sessions_of_one,
    DROP CONSTRAINT sessions_person,
    DROP COLUMN of_tenant,
    DROP COLUMN person_id,
    ALTER COLUMN key_id SET NOT NULL;
CREATE FUNCTION live_sessions()
RETURNS TABLE (token_sha256 bytea, key_id text, expires_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.token_sha256, s.key_id, s.expires_at FROM sessions s WHERE s.expires_at > now()
$$;
