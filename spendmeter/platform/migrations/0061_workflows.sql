-- What tenants say of their workflows: which outcome counts and for how long it must last, and what each version is.
-- depends: 0066_keys_used

-- migrate: apply

-- Act by act: the last one about a workflow, or about a version of it, is in force. version '' of about 'version' is of
-- runs that name none. `said`: amounts as strings (services/api/workflows/models.py); of a removed one nothing holds.
CREATE TABLE workflow_acts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    about text NOT NULL CHECK (about IN ('workflow', 'version')),
    workflow text NOT NULL CHECK (workflow <> ''),
    version text NOT NULL CHECK (about = 'version' OR version = ''),
    said jsonb NOT NULL,
    removed boolean NOT NULL,
    reason text NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX workflow_acts_tenant ON workflow_acts (tenant, workflow, about, version, number);

-- The last of each that the reader may see.
CREATE VIEW workflow_acts_in_force WITH (security_invoker = true) AS
SELECT DISTINCT ON (tenant, workflow, about, version)
    tenant, workflow, about, version, number, said, removed, reason, by, at
FROM workflow_acts ORDER BY tenant, workflow, about, version, number DESC;

-- migrate: rollback

DROP VIEW workflow_acts_in_force;
DROP TABLE workflow_acts;
