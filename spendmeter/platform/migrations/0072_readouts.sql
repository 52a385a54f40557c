-- Sums that portals made for OpenMeter read by name.
-- depends: 0062_model_decisions 0068_people_log_in

-- migrate: apply

-- aggregation and value_property: which sum of the rollups, null = events are counted; group_by: dimension by the name that
-- questions have for it.
CREATE TABLE readouts (
    tenant text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    slug text NOT NULL CHECK (length(slug) BETWEEN 1 AND 64),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 256),
    description text NOT NULL CHECK (length(description) <= 1024),
    aggregation text NOT NULL CHECK (aggregation IN ('SUM', 'COUNT')),
    value_property text CHECK ((value_property IS NULL) = (aggregation = 'COUNT')),
    group_by jsonb NOT NULL CHECK (jsonb_typeof(group_by) = 'object'),
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, slug)
);

-- migrate: rollback

DROP TABLE readouts;
