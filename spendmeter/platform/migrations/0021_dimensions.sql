-- A tenant's own dimensions: their names, what a series says of them, and the values that a day has room for.
-- depends: 0018_corrections

-- migrate: apply

-- By name, those that the series has; so that a series without any is as it was.
ALTER TABLE series ADD COLUMN own jsonb NOT NULL DEFAULT '{}';

-- What a series says of one dimension, built-in or a tenant's own; '' = nothing.
CREATE FUNCTION dimension(s series, name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE name
        WHEN 'cost_class' THEN s.cost_class WHEN 'provider' THEN s.provider WHEN 'sku' THEN s.sku
        WHEN 'team' THEN s.team WHEN 'project' THEN s.project WHEN 'feature' THEN s.feature
        WHEN 'workflow' THEN s.workflow WHEN 'workflow_version' THEN s.workflow_version WHEN 'agent' THEN s.agent
        WHEN 'environment' THEN s.environment WHEN 'key_id' THEN s.key_id
        ELSE coalesce(s.own ->> name, '')
    END
$$;

-- All that it says, by name.
CREATE FUNCTION dimensions(s series) RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_jsonb(s) - '{tenant,series_id,first_seen,own}'::text[] || s.own
$$;

-- Which of a tenant's series have every value that a scope names ({"team": "a"}; {} = all have), by the scope's place.
CREATE FUNCTION series_within(of_tenant text, of_series bytea[], scopes jsonb[])
RETURNS TABLE (place bigint, series_id bytea) LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH asked AS MATERIALIZED (
        SELECT place, name, value, count(*) OVER (PARTITION BY place) AS needed
        FROM unnest(scopes) WITH ORDINALITY AS n (scope, place), jsonb_each_text(scope) AS e (name, value)
    ), said AS MATERIALIZED (
        SELECT s.series_id, name, dimension(s, name) AS value
        FROM unnest(of_series) AS u (series_id)
            JOIN series s ON s.tenant = of_tenant AND s.series_id = u.series_id,
            (SELECT DISTINCT name FROM asked) AS names
    )
    SELECT place, series_id FROM unnest(scopes) WITH ORDINALITY AS n (scope, place), unnest(of_series) AS u (series_id)
    WHERE scope = '{}'
    UNION ALL
    SELECT place, series_id FROM asked JOIN said USING (name, value)
    GROUP BY place, needed, series_id HAVING count(*) = needed
$$;

-- What a tenant calls dimensions of its own, act by act: the last one of a name says whether its labels are kept.
CREATE TABLE dimension_acts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_]{1,31}$'),
    act text NOT NULL CHECK (act IN ('declared', 'retired')),
    reason text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX dimension_acts_name ON dimension_acts (tenant, name, number);

-- The last act of each name that the reader may see.
CREATE VIEW own_dimensions WITH (security_invoker = true) AS
SELECT DISTINCT ON (tenant, name) tenant, name, act = 'declared' AS active, reason, by, at
FROM dimension_acts ORDER BY tenant, name, number DESC;

-- The values of a tenant's own dimensions that its day has room for; what comes when there is none left is folded.
CREATE TABLE admitted_values (
    number bigint GENERATED ALWAYS AS IDENTITY,
    tenant text NOT NULL,
    day date NOT NULL,
    dimension text NOT NULL,
    value text NOT NULL,
    PRIMARY KEY (day, tenant, dimension, value)
);
CREATE INDEX admitted_values_number ON admitted_values (number);

-- migrate: rollback

DROP TABLE admitted_values;
DROP VIEW own_dimensions;
DROP TABLE dimension_acts;
DROP FUNCTION series_within(text, bytea[], jsonb[]);
DROP FUNCTION dimensions(series);
DROP FUNCTION dimension(series, text);
ALTER TABLE series DROP COLUMN own;
