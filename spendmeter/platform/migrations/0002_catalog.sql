-- The price catalog: append-only entries and the publications that put them in force.
-- depends: 0001_book

-- migrate: apply

-- body is the entry exactly as it goes to the catalog topic; tenant '' = for everybody.
CREATE TABLE catalog_entries (
    id text PRIMARY KEY,
    tenant text NOT NULL DEFAULT '',
    type text NOT NULL,
    body text NOT NULL,
    version int NOT NULL,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX catalog_entries_version ON catalog_entries (version);

CREATE TABLE catalog_publications (
    version int PRIMARY KEY,
    entries int NOT NULL,
    note text NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now()
);

-- api publishes the whole catalog, of which row-level security shows it one tenant's part at a time.
CREATE FUNCTION catalog_to_publish()
RETURNS TABLE (id text, body text, version int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.id, c.body, c.version FROM catalog_entries c ORDER BY c.version, c.id
$$;

-- migrate: rollback

DROP FUNCTION catalog_to_publish();
DROP TABLE catalog_publications, catalog_entries;
