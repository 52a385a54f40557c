-- People by role, as the tenant's admins say; and two scopes between reading and changing everything.
-- depends: 0066_keys_used 0064_run_days

-- migrate: apply

ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check CHECK (
        scopes <@ ARRAY['ingest', 'read', 'respond', 'govern', 'correct', 'admin', 'import', 'reserve']
        AND cardinality(scopes) > 0);

-- Who somebody is comes from the one that vouches for them (issuer) and what it calls them for ever (subject): never from a
-- name or an address, which are given away again. person_id stands for both where they would be long. What a person may
-- do comes from here alone. role '' = taken away. team '' = all of the tenant; of one team alone is a viewer only. name:
-- what people call them here. Acts, not edits: the last one of each person holds.
CREATE TABLE people_acts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    person_id text NOT NULL CHECK (person_id ~ '^p[0-9a-f]{16}$'),
    issuer text NOT NULL CHECK (length(issuer) BETWEEN 1 AND 500),
    subject text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    role text NOT NULL CHECK (role IN ('', 'viewer', 'on_call', 'finops', 'admin')),
    team text NOT NULL DEFAULT '' CHECK (team = '' OR role IN ('', 'viewer')),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX people_acts_person ON people_acts (tenant, person_id, number);

-- The last act of each person that the reader may see.
CREATE VIEW people WITH (security_invoker = true) AS
SELECT DISTINCT ON (tenant, person_id) tenant, person_id, issuer, subject, name, role, team, reason, by, at
FROM people_acts ORDER BY tenant, person_id, number DESC;

-- migrate: rollback

DROP VIEW people;
DROP TABLE people_acts;
UPDATE api_keys SET scopes = array_remove(array_remove(scopes, 'respond'), 'govern') || '{read}'
WHERE scopes && ARRAY['respond', 'govern'];
ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check CHECK (
        scopes <@ ARRAY['ingest', 'read', 'correct', 'admin', 'import', 'reserve'] AND cardinality(scopes) > 0);
