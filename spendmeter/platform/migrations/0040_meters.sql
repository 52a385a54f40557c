-- What a tenant's administrators make of events of other meters' clients.
-- depends: 0031_minutes_let_go

-- migrate: apply

-- Act by act: the last one of a tenant is in force.
CREATE TABLE meters (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    meters jsonb NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX meters_tenant ON meters (tenant, number);

-- The last of each tenant that the reader may see.
CREATE VIEW meters_in_force WITH (security_invoker = true) AS
SELECT DISTINCT ON (tenant) tenant, number, meters, reason, by, at FROM meters ORDER BY tenant, number DESC;

-- migrate: rollback

DROP VIEW meters_in_force;
DROP TABLE meters;
