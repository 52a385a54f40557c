-- Budgets that refuse: what is reserved of them, and how far the book has been counted.
-- depends: 0035_charges 0041_messages 0042_channels

-- migrate: apply

-- hard: it refuses what is not left. unreserved: others' spend books and is told, or room is kept for it. when_away:
-- what becomes of a request while Postgres is away. key_share: how much of it one key may hold at once, of 1.
ALTER TABLE budgets
    ADD COLUMN hard boolean NOT NULL DEFAULT false,
    ADD COLUMN unreserved text NOT NULL DEFAULT 'reserved_only' CHECK (unreserved IN ('reserved_only', 'headroom')),
    ADD COLUMN when_away text NOT NULL DEFAULT 'refuse' CHECK (when_away IN ('refuse', 'tranche')),
    ADD COLUMN key_share numeric NOT NULL DEFAULT 0.5 CHECK (key_share > 0 AND key_share <= 1);
CREATE INDEX budgets_hard ON budgets (tenant) WHERE hard AND deleted_at IS NULL;

-- Who may reserve: what sends usage asks first.
ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check CHECK (
        scopes <@ ARRAY['ingest', 'read', 'correct', 'admin', 'import', 'reserve'] AND cardinality(scopes) > 0);

-- held: in each of its places (budget_ids with period_starts, one to one); 0 once it is settled, released or expired.
-- identity: of the event that books it. event: our own one of a call whose caller names none, sent until sent_at.
CREATE TABLE reservations (
    tenant text NOT NULL,
    id uuid NOT NULL,
    key_id text NOT NULL,
    identity bytea NOT NULL,
    stated boolean NOT NULL,
    dimensions jsonb NOT NULL,
    budget_ids uuid[] NOT NULL,
    period_starts timestamptz[] NOT NULL,
    bound numeric NOT NULL CHECK (bound >= 0 AND bound < 'Infinity'),
    held numeric NOT NULL CHECK (held >= 0 AND held < 'Infinity'),
    actual numeric CHECK (actual >= 0 AND actual < 'Infinity'),
    state text NOT NULL CHECK (state IN ('held', 'committed', 'settled', 'released', 'expired')),
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    extensions int NOT NULL,
    committed_at timestamptz,
    provisional boolean NOT NULL,
    details jsonb NOT NULL,
    event text NOT NULL,
    sent_at timestamptz,
    PRIMARY KEY (tenant, id),
    CHECK (cardinality(budget_ids) = cardinality(period_starts)),
    CHECK (state IN ('held', 'committed') OR held = 0)
) WITH (fillfactor = 70);
CREATE INDEX reservations_identity ON reservations (identity);
CREATE INDEX reservations_due ON reservations (tenant, expires_at) WHERE state = 'held';
CREATE INDEX reservations_held ON reservations (tenant, key_id) WHERE state = 'held';
CREATE INDEX reservations_committed ON reservations (tenant) WHERE state = 'committed';
CREATE INDEX reservations_unsent ON reservations (committed_at) WHERE event <> '' AND sent_at IS NULL;
CREATE INDEX reservations_recent ON reservations (tenant, created_at DESC, id);

-- One period of a hard budget. revision: of the budget, as the counter was made for it. booked: what the book has up to
-- the tenant's marks; held: the sum over open reservations; debt: of booked, what nothing was held for any longer.
CREATE TABLE budget_counters (
    tenant text NOT NULL,
    budget_id uuid NOT NULL,
    period_start timestamptz NOT NULL,
    period_end timestamptz NOT NULL,
    revision int NOT NULL,
    currency text NOT NULL,
    booked numeric NOT NULL,
    held numeric NOT NULL,
    debt numeric NOT NULL DEFAULT 0,
    peak_minute timestamptz,
    peak_running numeric NOT NULL DEFAULT 0,
    peak numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, budget_id, period_start)
) WITH (fillfactor = 20);

-- How far the book is counted, by tenant: as positions of the book go (projection_marks has the words).
CREATE TABLE reservation_marks (
    tenant text NOT NULL,
    partition int NOT NULL,
    account int NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (tenant, partition, account)
) WITH (fillfactor = 20);

-- What was answered, for 30 days: whoever asks the same again is told the same.
CREATE TABLE reservation_answers (
    tenant text NOT NULL,
    endpoint text NOT NULL,
    idempotency_key text NOT NULL,
    payload bytea NOT NULL,
    decision text NOT NULL,
    reservation_id uuid,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, endpoint, idempotency_key)
);
CREATE INDEX reservation_answers_at ON reservation_answers (at);

-- Each time that counters were made anew for a tenant, and what of them became another: holds survive that.
CREATE TABLE reservation_acts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    why text NOT NULL,
    before jsonb NOT NULL,
    after jsonb NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reservation_acts_tenant ON reservation_acts (tenant, number);

-- migrate: rollback

DROP TABLE reservation_acts, reservation_answers, reservation_marks, budget_counters, reservations;
UPDATE api_keys SET scopes = array_remove(scopes, 'reserve') WHERE scopes <> ARRAY['reserve'];
UPDATE api_keys SET scopes = ARRAY['read'] WHERE scopes = ARRAY['reserve'];
ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check
        CHECK (scopes <@ ARRAY['ingest', 'read', 'correct', 'admin', 'import'] AND cardinality(scopes) > 0);
DROP INDEX budgets_hard;
ALTER TABLE budgets DROP COLUMN hard, DROP COLUMN unreserved, DROP COLUMN when_away, DROP COLUMN key_share;
