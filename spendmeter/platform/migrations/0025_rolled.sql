-- How often larger rollups have changed, so that what was read of them is known to hold still.
-- depends: 0017_unit_columns

-- migrate: apply

-- Of the buckets above the minute that begin on a day (UTC). Whoever changes rollups adds one, in the same transaction;
-- each in a row of its own, so that nobody waits: part as in rollups.
CREATE TABLE rolled (
    tenant text NOT NULL,
    day date NOT NULL,
    part smallint NOT NULL,
    generation bigint NOT NULL,
    PRIMARY KEY (tenant, day, part)
) WITH (fillfactor = 50);

-- migrate: rollback

DROP TABLE rolled;
