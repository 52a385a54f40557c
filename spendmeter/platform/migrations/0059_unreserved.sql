-- What was spent past the reservations of hard budgets, by key and hour, so that alerts can tell it.
-- depends: 0054_scope_hours

-- migrate: apply

-- subject: 'unreserved' = nobody reserved it, of a budget that wants that; 'unlike' = its event carries other dimensions
-- than were reserved; 'debt' = it was booked when its reservation had run out. budget_id: the innermost that it is about.
-- A row waits until the call's commit, which may name the event after it was booked, has had its time.
CREATE TABLE unreserved_waiting (
    tenant text NOT NULL,
    identity bytea NOT NULL,
    key_id text NOT NULL,
    subject text NOT NULL CHECK (subject IN ('unreserved', 'unlike', 'debt')),
    budget_id uuid NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL,
    occurred_at timestamptz NOT NULL,
    differs jsonb NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, identity)
);
CREATE INDEX unreserved_waiting_counted ON unreserved_waiting (counted_at);

-- As first booked: corrections change nothing of it. hour: in which it was counted. differs: of the newest, by dimension
-- what was reserved and what was booked.
CREATE TABLE unreserved (
    tenant text NOT NULL,
    hour timestamptz NOT NULL,
    key_id text NOT NULL,
    subject text NOT NULL,
    budget_id uuid NOT NULL,
    currency text NOT NULL,
    events bigint NOT NULL,
    amount numeric NOT NULL,
    first_at timestamptz NOT NULL,
    counted_at timestamptz NOT NULL,
    differs jsonb NOT NULL,
    PRIMARY KEY (tenant, hour, key_id, subject, budget_id, currency)
);

ALTER TABLE incidents
    DROP CONSTRAINT incidents_kind_check,
    ADD CONSTRAINT incidents_kind_check CHECK (kind IN (
        'budget', 'anomaly', 'unbooked', 'forecast', 'burn', 'shift', 'loop', 'first', 'drift', 'silence', 'unreserved'
    ));

-- migrate: rollback

DELETE FROM deliveries d USING incidents i
WHERE i.tenant = d.tenant AND i.id = d.incident_id AND i.kind = 'unreserved';
DELETE FROM incidents WHERE kind = 'unreserved';
ALTER TABLE incidents
    DROP CONSTRAINT incidents_kind_check,
    ADD CONSTRAINT incidents_kind_check CHECK (kind IN (
        'budget', 'anomaly', 'unbooked', 'forecast', 'burn', 'shift', 'loop', 'first', 'drift', 'silence'
    ));
DROP TABLE unreserved, unreserved_waiting;
