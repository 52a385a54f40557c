-- What is no call: hardware, seats, people's time, commitments; registered, revised, accrued by the hour.
-- depends: 0031_minutes_let_go

-- migrate: apply

-- One asset. How far it has accrued moves by compare-and-set: hours before `sent_until` are at the broker, hours before
-- `claimed_until` may be. Its amends: of revisions up to `amended` all are, of the next one those before `amended_until`.
-- `due_at`: when there is something to do next; whoever does it puts it off first, so that it comes back if they die.
CREATE TABLE assets (
    tenant text NOT NULL,
    asset_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('hardware', 'licence', 'labour', 'commitment')),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    zone text NOT NULL,
    starts_on date NOT NULL,
    accrue_from timestamptz NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now(),
    revision int NOT NULL DEFAULT 1,
    sent_until timestamptz NOT NULL,
    claimed_until timestamptz NOT NULL,
    amended int NOT NULL DEFAULT 1,
    amended_until timestamptz,
    due_at timestamptz DEFAULT now(),
    trouble text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, asset_id),
    CHECK (sent_until <= claimed_until AND amended <= revision)
);
CREATE INDEX assets_due_at ON assets (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX assets_registered ON assets (tenant, registered_at, asset_id);

-- All that was ever said of an asset, by whom and why. Nobody may change or delete a row.
CREATE TABLE asset_revisions (
    tenant text NOT NULL,
    asset_id text NOT NULL,
    revision int NOT NULL,
    effective_from timestamptz NOT NULL,
    first_hour timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    change jsonb NOT NULL,
    author text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (tenant, asset_id, revision),
    FOREIGN KEY (tenant, asset_id) REFERENCES assets (tenant, asset_id)
);

-- How many of a licence's seats were used on a day, as the vendor's console says it; the last word holds.
CREATE TABLE seat_activity (
    tenant text NOT NULL,
    asset_id text NOT NULL,
    day date NOT NULL,
    active int NOT NULL CHECK (active >= 0),
    author text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, asset_id, day),
    FOREIGN KEY (tenant, asset_id) REFERENCES assets (tenant, asset_id)
);

-- Hours of work that were written down for a day, at the rate of that day; a later revision of an entry amends it.
CREATE TABLE timesheets (
    tenant text NOT NULL,
    asset_id text NOT NULL,
    entry_id text NOT NULL,
    revision int NOT NULL,
    day date NOT NULL,
    hours numeric NOT NULL CHECK (hours >= 0),
    amount numeric NOT NULL CHECK (amount >= 0),
    labels jsonb NOT NULL,
    author text NOT NULL,
    reason text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, asset_id, entry_id, revision),
    FOREIGN KEY (tenant, asset_id) REFERENCES assets (tenant, asset_id)
);
CREATE INDEX timesheets_unsent ON timesheets (tenant, asset_id) WHERE NOT sent;

-- Whose assets have something to do, what has waited longest first. The caller then acts for each tenant by itself.
CREATE FUNCTION assets_due(most int) RETURNS TABLE (tenant text, asset_id text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.tenant, a.asset_id FROM assets a WHERE a.due_at <= now() ORDER BY a.due_at LIMIT most
$$;

-- How far the one that is furthest behind is behind, in seconds; an hour is sent within itself.
CREATE FUNCTION assets_late() RETURNS float8
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT greatest(extract(epoch FROM now() - interval '1 hour' - min(a.sent_until)), 0)::float8 FROM assets a
    WHERE a.due_at IS NOT NULL
$$;

-- Series of what accrues, which is no burst at its minute: the key is the one that api sends it with
-- (`spendmeter/platform/service_keys.py`), and its id never changes.
CREATE INDEX series_of_accruals ON series (tenant) WHERE key_id = 'k2a6753d30404';
CREATE FUNCTION accrual_series(of_tenant text) RETURNS bytea[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(series_id), '{}') FROM series WHERE tenant = of_tenant AND key_id = 'k2a6753d30404'
$$;

-- migrate: rollback

DROP FUNCTION accrual_series(text);
DROP INDEX series_of_accruals;
DROP FUNCTION assets_late();
DROP FUNCTION assets_due(int);
DROP TABLE timesheets, seat_activity, asset_revisions, assets;
