-- The book: who the tenants are, every booked entry, and what was rolled up from it.
-- depends:

-- migrate: apply

CREATE TABLE tenants (
    tenant text PRIMARY KEY CHECK (tenant ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name text NOT NULL,
    currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z]{3}$'),
    zone text NOT NULL DEFAULT 'UTC',
    fiscal_start_month smallint NOT NULL DEFAULT 1 CHECK (fiscal_start_month BETWEEN 1 AND 12),
    created_at timestamptz NOT NULL DEFAULT now()
);

-- tenant '' = an operator's key: it may act for every tenant.
CREATE TABLE api_keys (
    key_id text PRIMARY KEY,
    tenant text NOT NULL,
    name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    scopes text[] NOT NULL CHECK (scopes <@ ARRAY['ingest', 'read', 'admin'] AND cardinality(scopes) > 0),
    trust_reported_cost boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz
);

-- One random key a tenant and month; deleting a row makes that month's user pseudonyms unlinkable.
CREATE TABLE pseudonym_keys (
    tenant text NOT NULL,
    month date NOT NULL CHECK (extract(day FROM month) = 1),
    secret bytea NOT NULL,
    PRIMARY KEY (tenant, month)
);

CREATE TABLE series (
    tenant text NOT NULL,
    series_id bytea NOT NULL,
    cost_class text NOT NULL,
    provider text NOT NULL,
    sku text NOT NULL,
    team text NOT NULL,
    project text NOT NULL,
    feature text NOT NULL,
    workflow text NOT NULL,
    workflow_version text NOT NULL,
    agent text NOT NULL,
    environment text NOT NULL,
    key_id text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, series_id)
);

-- Dedupe is global: an identity is booked once, wherever and whenever its copies arrive.
CREATE TABLE identities (
    identity bytea PRIMARY KEY,
    occurred_at timestamptz NOT NULL,
    hash bytea NOT NULL,
    origin_partition int NOT NULL,
    origin_offset bigint NOT NULL
);

-- Append-only: seq 0 is the usage as first booked; corrections add further, signed rows.
-- NaN sorts above every number, so the upper bound keeps it out as well.
CREATE TABLE entries (
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    origin_offset bigint NOT NULL,
    origin_partition int NOT NULL,
    catalog_version int NOT NULL,
    accounting_period date NOT NULL,
    seq smallint NOT NULL DEFAULT 0,
    identity bytea NOT NULL,
    series_id bytea NOT NULL,
    tenant text NOT NULL,
    status text NOT NULL CHECK (status IN ('priced', 'free', 'reported', 'provisional', 'unpriced')),
    currency text NOT NULL,
    list numeric NOT NULL CHECK (list > '-Infinity' AND list < 'Infinity' AND (seq > 0 OR list >= 0)),
    contracted numeric NOT NULL
        CHECK (contracted > '-Infinity' AND contracted < 'Infinity' AND (seq > 0 OR contracted >= 0)),
    effective numeric NOT NULL
        CHECK (effective > '-Infinity' AND effective < 'Infinity' AND (seq > 0 OR effective >= 0)),
    event text NOT NULL,
    lines text NOT NULL,
    PRIMARY KEY (occurred_at, identity, seq)
);
CREATE INDEX entries_recorded_at ON entries USING brin (recorded_at);

-- Every offset of usage.events that was not booked, with the reason. A stray is a record that somebody put
-- on usage.rated itself: its origin is there.
CREATE TABLE unbooked (
    origin_topic text NOT NULL,
    origin_partition int NOT NULL,
    origin_offset bigint NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('duplicate', 'conflict', 'rejected', 'stray')),
    tenant text NOT NULL,
    identity bytea,
    source text NOT NULL DEFAULT '',
    event_id text NOT NULL DEFAULT '',
    reason text NOT NULL,
    size int NOT NULL,
    sha256 bytea,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (origin_topic, origin_partition, origin_offset)
);
CREATE INDEX unbooked_identity ON unbooked (identity) WHERE identity IS NOT NULL;
CREATE INDEX unbooked_tenant ON unbooked (tenant, recorded_at) WHERE outcome <> 'duplicate';

-- How far each partition has been applied: changed in the same transaction as what it applied.
CREATE TABLE positions (
    partition int PRIMARY KEY,
    rated_topic text NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    origin_topic text NOT NULL,
    next_origin bigint NOT NULL DEFAULT 0,
    booked bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    conflict bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    holes bigint NOT NULL DEFAULT 0,
    stray bigint NOT NULL DEFAULT 0,
    CHECK (next_origin = booked + duplicate + conflict + rejected + holes)
) WITH (fillfactor = 20);

-- The end of usage.events, written each second, and why a line stands still ('' = it moves). Apart from
-- positions, so that this clock never waits for a booking's row lock.
CREATE TABLE log_ends (
    partition int PRIMARY KEY,
    log_end bigint NOT NULL,
    read_at timestamptz NOT NULL,
    stopped text NOT NULL DEFAULT ''
) WITH (fillfactor = 20);

-- The same accounting by tenant; tenant '' = unattributable.
CREATE TABLE accounting (
    partition int NOT NULL,
    tenant text NOT NULL,
    priced bigint NOT NULL DEFAULT 0,
    free bigint NOT NULL DEFAULT 0,
    reported bigint NOT NULL DEFAULT 0,
    provisional bigint NOT NULL DEFAULT 0,
    unpriced bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    conflict bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    holes bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (partition, tenant)
) WITH (fillfactor = 20);

-- shard = the Kafka partition that fed the row (no two lanes ever wait for each other), corrections -1.
CREATE TABLE rollups_minute (
    bucket timestamptz NOT NULL,
    recorded_on date NOT NULL,
    shard int NOT NULL,
    tenant text NOT NULL,
    series_id bytea NOT NULL,
    currency text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    events bigint NOT NULL,
    unpriced_events bigint NOT NULL,
    list numeric NOT NULL,
    contracted numeric NOT NULL,
    effective numeric NOT NULL,
    of_which_provisional numeric NOT NULL,
    usage jsonb NOT NULL,
    PRIMARY KEY (tenant, bucket, series_id, shard, recorded_on, currency)
) WITH (fillfactor = 60);

-- Adds two maps of unit to quantity.
CREATE FUNCTION usage_sum(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT jsonb_object_agg(unit, quantity) FROM (
        SELECT key AS unit, sum(value::text::numeric) AS quantity
        FROM (SELECT * FROM jsonb_each(a) UNION ALL SELECT * FROM jsonb_each(b)) AS both_maps
        GROUP BY key
    ) AS summed
$$;

CREATE AGGREGATE usage_total(jsonb) (SFUNC = usage_sum, STYPE = jsonb, INITCOND = '{}');

-- api looks a key up before it knows a tenant, so before row-level security lets it see anything.
CREATE FUNCTION find_api_key(wanted text)
RETURNS TABLE (tenant text, secret_sha256 bytea, scopes text[], expires_at timestamptz, revoked_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT k.tenant, k.secret_sha256, k.scopes, k.expires_at, k.revoked_at FROM api_keys k WHERE k.key_id = wanted
$$;

-- The accounting identity over all tenants: counts alone, for operators. read_at is null until the log's end
-- was first looked at.
CREATE FUNCTION accounting_by_partition()
RETURNS TABLE (partition int, next_origin bigint, booked bigint, duplicate bigint, conflict bigint,
    rejected bigint, holes bigint, stray bigint, log_end bigint, read_at timestamptz, stopped text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT partition, coalesce(p.next_origin, 0), coalesce(p.booked, 0), coalesce(p.duplicate, 0),
        coalesce(p.conflict, 0), coalesce(p.rejected, 0), coalesce(p.holes, 0), coalesce(p.stray, 0),
        coalesce(e.log_end, p.next_origin), e.read_at, coalesce(e.stopped, '')
    FROM log_ends e FULL JOIN positions p USING (partition) ORDER BY partition
$$;

CREATE FUNCTION accounting_by_tenant()
RETURNS TABLE (tenant text, priced numeric, free numeric, reported numeric, provisional numeric,
    unpriced numeric, duplicate numeric, conflict numeric, rejected numeric, holes numeric)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.tenant, sum(a.priced), sum(a.free), sum(a.reported), sum(a.provisional), sum(a.unpriced),
        sum(a.duplicate), sum(a.conflict), sum(a.rejected), sum(a.holes)
    FROM accounting a GROUP BY a.tenant ORDER BY a.tenant
$$;

-- migrate: rollback

DROP FUNCTION accounting_by_tenant();
DROP FUNCTION accounting_by_partition();
DROP FUNCTION find_api_key(text);
DROP AGGREGATE usage_total(jsonb);
DROP FUNCTION usage_sum(jsonb, jsonb);
DROP TABLE rollups_minute, accounting, log_ends, positions, unbooked, entries, identities, series,
    pseudonym_keys, api_keys, tenants;
