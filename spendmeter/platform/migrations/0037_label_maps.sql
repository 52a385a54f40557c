-- What a tenant's administrators make of attributes that others send.
-- depends: 0030_after_a_restore 0031_minutes_let_go

-- migrate: apply

-- Act by act: the last one of a tenant is in force. Of tenant '*' they are an operator's, and find tenants.
CREATE TABLE label_maps (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    maps jsonb NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX label_maps_tenant ON label_maps (tenant, number);

-- The last of each tenant that the reader may see.
CREATE VIEW label_maps_in_force WITH (security_invoker = true) AS
SELECT DISTINCT ON (tenant) tenant, number, maps, reason, by, at FROM label_maps ORDER BY tenant, number DESC;

-- migrate: rollback

DROP VIEW label_maps_in_force;
DROP TABLE label_maps;
