-- Rows of bills: signed when first booked, sent by keys that send nothing else, and known by their import.
-- depends: 0028_minutes_by_day 0031_minutes_let_go

-- migrate: apply

-- What somebody's bill says is booked as it is, credits and refunds too: of status reported any sign is right, on the
-- first entry, its reversals and its replacements. Everything that a price made is signed as it was.
ALTER TABLE entries
    DROP CONSTRAINT entries_list_check,
    DROP CONSTRAINT entries_contracted_check,
    DROP CONSTRAINT entries_effective_check,
    ADD CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq % 2 = 0 THEN list >= 0 ELSE list <= 0 END)),
    ADD CONSTRAINT entries_contracted_check CHECK (contracted > '-Infinity' AND contracted < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq % 2 = 0 THEN contracted >= 0 ELSE contracted <= 0 END)),
    ADD CONSTRAINT entries_effective_check CHECK (effective > '-Infinity' AND effective < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq % 2 = 0 THEN effective >= 0 ELSE effective <= 0 END));

-- A key that sends bills sends nothing else: so the series under it are those of bills, and whoever looks for spend as it
-- is made leaves them out.
ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check
        CHECK (scopes <@ ARRAY['ingest', 'read', 'correct', 'admin', 'import'] AND cardinality(scopes) > 0),
    ADD CONSTRAINT api_keys_import_alone CHECK (NOT scopes @> ARRAY['ingest', 'import']);

-- Whose series are those of bills: also of keys that were revoked since. For alerts, which may not see what signs in.
CREATE FUNCTION bill_keys() RETURNS TABLE (tenant text, key_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.tenant, k.key_id FROM api_keys k WHERE 'import' = ANY (k.scopes)
$$;

-- Every import of a bill, and what came of it: counts, sums by currency, rows that are bad or held back.
CREATE TABLE imports (
    tenant text NOT NULL,
    import_id text NOT NULL,
    file_name text NOT NULL,
    is_complete boolean NOT NULL,
    mapping jsonb NOT NULL,
    author text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    why text NOT NULL DEFAULT '',
    report jsonb NOT NULL DEFAULT '{}',
    requested_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz CHECK ((ended_at IS NULL) = (state = 'running')),
    PRIMARY KEY (tenant, import_id)
);
CREATE INDEX imports_newest ON imports (tenant, requested_at DESC, import_id);

-- What the book was told of each row of a bill. `snapshot`: which bill (issuer, account, billing period); `row_id`: which
-- row of it, whatever it costs; `generation`: how often it came back after it was retracted, each time as another event;
-- `hash`: of what was said last; `is_told`: whether the broker has acknowledged that; `import_id`: the last import that had
-- the row.
CREATE TABLE billed_rows (
    tenant text NOT NULL,
    row_id bytea NOT NULL,
    snapshot bytea NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    generation int NOT NULL DEFAULT 0,
    revision int NOT NULL DEFAULT 0,
    hash bytea NOT NULL,
    is_told boolean NOT NULL,
    is_retracted boolean NOT NULL DEFAULT false,
    import_id text NOT NULL,
    PRIMARY KEY (tenant, row_id)
);
CREATE INDEX billed_rows_snapshot ON billed_rows (tenant, snapshot, row_id) WHERE NOT is_retracted;

-- migrate: rollback

DROP TABLE billed_rows;
DROP TABLE imports;
DROP FUNCTION bill_keys();
ALTER TABLE api_keys DROP CONSTRAINT api_keys_import_alone;
UPDATE api_keys SET scopes = array_remove(scopes, 'import') WHERE scopes <> ARRAY['import'];
UPDATE api_keys SET scopes = ARRAY['read'] WHERE scopes = ARRAY['import'];
ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check
        CHECK (scopes <@ ARRAY['ingest', 'read', 'correct', 'admin'] AND cardinality(scopes) > 0);
ALTER TABLE entries
    DROP CONSTRAINT entries_list_check,
    DROP CONSTRAINT entries_contracted_check,
    DROP CONSTRAINT entries_effective_check,
    ADD CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity'
        AND CASE WHEN seq % 2 = 0 THEN list >= 0 ELSE list <= 0 END),
    ADD CONSTRAINT entries_contracted_check CHECK (contracted > '-Infinity' AND contracted < 'Infinity'
        AND CASE WHEN seq % 2 = 0 THEN contracted >= 0 ELSE contracted <= 0 END),
    ADD CONSTRAINT entries_effective_check CHECK (effective > '-Infinity' AND effective < 'Infinity'
        AND CASE WHEN seq % 2 = 0 THEN effective >= 0 ELSE effective <= 0 END);
