-- What was pulled from other people's price lists, by whom, and what became of it.
-- depends: 0013_remarks

-- migrate: apply

-- tenant '*' = everybody's catalog, as in catalog_proposals. `files` is a JSON array, one a source: its address,
-- what came (hash, bytes, validators) or why nothing did. `report`: the verdict on each new model, by which
-- rule, and the proposals made. A pull that never ended counts as running for a quarter of an hour.
CREATE TABLE catalog_pulls (
    id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant text NOT NULL,
    started_by text NOT NULL,
    trigger text NOT NULL CHECK (trigger IN ('command', 'schedule')),
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    state text NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'unchanged', 'nothing', 'proposed', 'refused', 'away', 'failed')),
    says text NOT NULL DEFAULT '',
    files jsonb NOT NULL DEFAULT '[]',
    report jsonb NOT NULL DEFAULT '{}',
    withdrawn_by text,
    withdrawn_version int,
    CHECK ((state = 'running') = (ended_at IS NULL)),
    CHECK ((withdrawn_by IS NULL) = (withdrawn_version IS NULL))
);
CREATE INDEX catalog_pulls_tenant ON catalog_pulls (tenant, id);

-- migrate: rollback

DROP TABLE catalog_pulls;
