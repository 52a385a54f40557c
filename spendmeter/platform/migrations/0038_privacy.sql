-- A person's pseudonym is a row that can be deleted; who is to forget what, and where a tenant's usage may go.
-- depends: 0034_keys

-- migrate: apply

-- Who is who in one month of receipt: `keyed_user` is an HMAC of the name under the tenant's key of that month, the
-- pseudonym random. Deleting the row makes what was booked under it nobody's; no total changes.
CREATE TABLE pseudonyms (
    tenant text NOT NULL,
    month date NOT NULL CHECK (month = date_trunc('month', month)),
    keyed_user bytea NOT NULL CHECK (length(keyed_user) = 32),
    pseudonym text NOT NULL,
    PRIMARY KEY (tenant, month, keyed_user)
);

-- That somebody was forgotten, not who. Ingest forgets what it remembers of a tenant when a row is new.
CREATE TABLE erasures (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    pseudonyms int NOT NULL,
    by text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX erasures_tenant ON erasures (tenant, number);

-- Each act says how long pseudonyms are kept from then on; the last one holds.
CREATE TABLE retention_acts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    pseudonyms_months int NOT NULL CHECK (pseudonyms_months BETWEEN 1 AND 120),
    by text NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX retention_acts_tenant ON retention_acts (tenant, number);

-- '' = anywhere. Ingest of a system of another region refuses what is this tenant's.
ALTER TABLE tenants ADD COLUMN region text NOT NULL DEFAULT '' CHECK (region ~ '^[a-z0-9-]{0,32}$');

-- migrate: rollback

ALTER TABLE tenants DROP COLUMN region;
DROP TABLE retention_acts;
DROP TABLE erasures;
DROP TABLE pseudonyms;
