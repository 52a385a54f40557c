-- Questions about spend that people ask again, by name.
-- depends: 0067_people

-- migrate: apply

-- path: which route is asked; question: its parameters, as an address has them. What a saved question asks for is checked
-- when it is saved, and again whenever it is asked.
CREATE TABLE saved_views (
    tenant text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    path text NOT NULL CHECK (path IN ('/v1/spend', '/v1/spend/changes')),
    question text NOT NULL CHECK (length(question) <= 4000),
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, name)
);

-- migrate: rollback

DROP TABLE saved_views;
