-- Who decided which model a slice moves to, with what was forecast then; what became of it is read from the book.
-- depends: 0063_saved_views

-- migrate: apply

-- filter: the slice, a value a dimension. Models are provider/sku as people wrote them. forecast: what was worked out when
-- it was decided, with its inputs; never worked out again. effective_day: of UTC. No row is ever changed.
CREATE TABLE model_decisions (
    tenant text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    title text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    filter jsonb NOT NULL,
    from_model text NOT NULL,
    to_model text NOT NULL,
    owner text NOT NULL CHECK (length(owner) BETWEEN 1 AND 128),
    effective_day date NOT NULL,
    growth_low numeric CHECK (growth_low > 0),
    growth_high numeric CHECK (growth_high >= growth_low),
    forecast jsonb NOT NULL,
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, id),
    CHECK ((growth_low IS NULL) = (growth_high IS NULL))
);

-- That a decision holds no longer, once: its savings are nobody's from then on.
CREATE TABLE model_decision_withdrawals (
    tenant text NOT NULL,
    decision_id uuid NOT NULL,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, decision_id),
    FOREIGN KEY (tenant, decision_id) REFERENCES model_decisions
);

-- migrate: rollback

DROP TABLE model_decision_withdrawals, model_decisions;
