-- Alerts: budgets and channels as people set them, incidents as they were opened, deliveries under way.
-- depends: 0002_catalog

-- migrate: apply

-- filter: dimension to value, {} = the whole tenant. Every change raises revision, which re-arms the
-- thresholds. NaN sorts above every number, so an upper bound keeps it out as well.
CREATE TABLE budgets (
    tenant text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    filter jsonb NOT NULL DEFAULT '{}' CHECK (
        jsonb_typeof(filter) = 'object' AND NOT jsonb_path_exists(filter, '$.* ? (@.type() <> "string")')
    ),
    amount numeric NOT NULL CHECK (amount > 0 AND amount < 'Infinity'),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    period text NOT NULL CHECK (period IN ('day', 'week', 'month', 'quarter')),
    thresholds_percent numeric[] NOT NULL DEFAULT '{100}' CHECK (
        cardinality(thresholds_percent) BETWEEN 1 AND 10 AND array_position(thresholds_percent, NULL) IS NULL
        AND 0 < ALL (thresholds_percent) AND 1000 >= ALL (thresholds_percent)
    ),
    revision int NOT NULL DEFAULT 1 CHECK (revision >= 1),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    PRIMARY KEY (tenant, id)
);

-- secret signs what is sent (Standard Webhooks: whsec_ and base64). A receiver that answers 410 Gone
-- disables its channel for good: who wants it back creates another one.
CREATE TABLE channels (
    tenant text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind text NOT NULL DEFAULT 'webhook' CHECK (kind = 'webhook'),
    url text NOT NULL CHECK (url ~ '^https?://' AND length(url) <= 2000),
    secret text NOT NULL CHECK (
        secret ~ '^whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'
    ),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    disabled_reason text NOT NULL DEFAULT '',
    deleted_at timestamptz,
    PRIMARY KEY (tenant, id)
);

-- id is the digest of the key below it: two workers that see the same thing open one incident.
-- amount = money since began_at (budget: the period's start; anomaly: the minute in which it began);
-- expected = what it is compared with: the budget's amount, or what the scope would have spent by now.
-- episode = that minute, counted from 1970. hot_at = when an anomaly's scope last spent hot_per_hour or more.
CREATE TABLE incidents (
    tenant text NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('budget', 'anomaly')),
    rule_id text NOT NULL,
    rule_revision int NOT NULL,
    rule_name text NOT NULL,
    scope jsonb NOT NULL,
    scope_digest bytea NOT NULL,
    period_start timestamptz,
    period_end timestamptz,
    episode bigint,
    threshold_percent numeric CHECK (threshold_percent > 0 AND threshold_percent < 'Infinity'),
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged', 'resolved')),
    began_at timestamptz NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL CHECK (amount > '-Infinity' AND amount < 'Infinity'),
    expected numeric NOT NULL CHECK (expected >= 0 AND expected < 'Infinity'),
    rate_per_hour numeric NOT NULL CHECK (rate_per_hour > '-Infinity' AND rate_per_hour < 'Infinity'),
    expected_per_hour numeric NOT NULL CHECK (expected_per_hour >= 0 AND expected_per_hour < 'Infinity'),
    hot_per_hour numeric NOT NULL DEFAULT 0 CHECK (hot_per_hour >= 0 AND hot_per_hour < 'Infinity'),
    of_which_provisional numeric NOT NULL
        CHECK (of_which_provisional > '-Infinity' AND of_which_provisional < 'Infinity'),
    top_contributor jsonb NOT NULL,
    summary text NOT NULL,
    suggested_action text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    hot_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    resolution text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant, id),
    UNIQUE NULLS NOT DISTINCT
        (tenant, rule_id, rule_revision, scope_digest, period_start, episode, threshold_percent),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL)),
    CHECK ((kind = 'budget') = (period_start IS NOT NULL AND period_end IS NOT NULL AND threshold_percent IS NOT NULL)),
    CHECK ((kind = 'anomaly') = (episode IS NOT NULL))
);
CREATE INDEX incidents_opened ON incidents (tenant, opened_at DESC);
CREATE INDEX incidents_unresolved ON incidents (tenant) WHERE state <> 'resolved';
CREATE INDEX incidents_resolved ON incidents (tenant, resolved_at) WHERE kind = 'anomaly';

-- Written by api; alerts then moves the incident from open to acknowledged.
CREATE TABLE acknowledgements (
    tenant text NOT NULL,
    incident_id uuid NOT NULL,
    acknowledged_by text NOT NULL CHECK (length(acknowledged_by) BETWEEN 1 AND 200),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    acknowledged_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, incident_id),
    FOREIGN KEY (tenant, incident_id) REFERENCES incidents (tenant, id)
);

-- One notification of one transition through one channel; the nil channel is the topic alerts.events, which
-- alone gets `updated` (one row, renewed with a new id). id goes out as webhook-id, the same over all attempts,
-- and body is fixed with it. A claim that runs out (its worker was killed) is free again: the receiver may see
-- an id twice, never miss one.
CREATE TABLE deliveries (
    tenant text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    incident_id uuid NOT NULL,
    transition text NOT NULL CHECK (transition IN ('opened', 'updated', 'acknowledged', 'resolved')),
    channel_id uuid NOT NULL,
    body text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    attempts int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    last_error text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    PRIMARY KEY (tenant, id),
    UNIQUE (tenant, incident_id, transition, channel_id),
    FOREIGN KEY (tenant, incident_id) REFERENCES incidents (tenant, id),
    CHECK ((state = 'pending') = (finished_at IS NULL))
);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE state = 'pending';

-- migrate: rollback

DROP TABLE deliveries, acknowledgements, incidents, channels, budgets;
