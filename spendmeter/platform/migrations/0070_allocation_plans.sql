-- How a tenant hands shared cost on.
-- depends: 0059_unreserved

-- migrate: apply

-- Act by act: a plan of one dimension holds from its first day until the first day of another one begins; of two
-- that begin on one day the later act holds. Nothing that is booked knows of it: allocation is read, never written.
CREATE TABLE allocation_plans (
    number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    dimension text NOT NULL CHECK (length(dimension) BETWEEN 1 AND 64),
    first_day date NOT NULL,
    pools jsonb NOT NULL CHECK (jsonb_typeof(pools) = 'array'),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX allocation_plans_dimension ON allocation_plans (tenant, dimension, number);

-- migrate: rollback

DROP TABLE allocation_plans;
