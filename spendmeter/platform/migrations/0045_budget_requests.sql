-- Requests for more of a budget, and what became of them.
-- depends: 0044_reservations

-- migrate: apply

-- amount: how much more is asked for, granted: how much more it was, both in `currency`. lasts: until the end of the
-- period in which it was granted, or for good. revision: of the budget, once it was granted.
CREATE TABLE budget_requests (
    tenant text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    budget_id uuid NOT NULL,
    amount numeric NOT NULL CHECK (amount > 0 AND amount < 'Infinity'),
    currency text NOT NULL,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'refused')),
    granted numeric CHECK (granted > 0 AND granted < 'Infinity'),
    lasts text CHECK (lasts IN ('period', 'for_good')),
    revision int,
    decided_by text,
    decided_at timestamptz,
    decision_reason text CHECK (length(decision_reason) BETWEEN 1 AND 500),
    PRIMARY KEY (tenant, id),
    CHECK ((state = 'open') = (decided_at IS NULL)),
    CHECK ((state = 'approved') = (granted IS NOT NULL))
);
CREATE UNIQUE INDEX budget_requests_open ON budget_requests (tenant, budget_id, requested_by) WHERE state = 'open';
CREATE INDEX budget_requests_recent ON budget_requests (tenant, requested_at DESC, id);

-- migrate: rollback

DROP TABLE budget_requests;
