-- Re-rating: jobs that price booked events anew, what they find and change, and what an old catalog priced.
-- depends: 0018_corrections 0022_unbooked

-- migrate: apply

-- A job prices one tenant's events with one version of the catalog, whatever is published meanwhile. Who asked for it
-- to be applied (null = nobody has) or cancelled, and when.
CREATE TABLE rerate_jobs (
    rerate_id text PRIMARY KEY,
    tenant text NOT NULL,
    selection jsonb NOT NULL,
    version int NOT NULL,
    reason text NOT NULL,
    author text NOT NULL,
    requested_at timestamptz NOT NULL,
    state text NOT NULL
        CHECK (state IN ('previewing', 'previewed', 'applying', 'applied', 'cancelled', 'refused')),
    why text NOT NULL DEFAULT '',
    applied_by text,
    apply_asked_at timestamptz,
    cancelled_by text,
    cancelled_at timestamptz,
    CHECK ((applied_by IS NULL) = (apply_asked_at IS NULL)),
    CHECK ((cancelled_by IS NULL) = (cancelled_at IS NULL))
);
CREATE INDEX rerate_jobs_tenant ON rerate_jobs (tenant, requested_at);
CREATE INDEX rerate_jobs_running ON rerate_jobs (rerate_id) WHERE state IN ('previewing', 'applying');

-- A job's way through the book: once to see ('preview'), once to apply. Events in [since, until), in the order of
-- (time, identity), up to the cursor, which is null at the beginning; seen of `about` so many. Of those seen: changed;
-- left as they are though they would change, for a reason (left_alone, by rerate_left); and moved by what the job is
-- not about (elsewhere). late: changed though they were booked behind the cursor. Of an applying pass: what is booked
-- after the snapshot `barrier` saw the job's version; log_ends[p + 1] is where partition p ended then.
CREATE TABLE rerate_passes (
    rerate_id text NOT NULL REFERENCES rerate_jobs,
    tenant text NOT NULL,
    phase text NOT NULL CHECK (phase IN ('preview', 'applied')),
    since timestamptz NOT NULL,
    until timestamptz NOT NULL,
    cursor_at timestamptz,
    cursor_identity bytea,
    swept boolean NOT NULL DEFAULT false,
    about bigint NOT NULL,
    seen bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    left_alone bigint NOT NULL DEFAULT 0,
    elsewhere bigint NOT NULL DEFAULT 0,
    late bigint NOT NULL DEFAULT 0,
    barrier xid8,
    log_ends bigint[],
    started_at timestamptz NOT NULL DEFAULT now(),
    worked_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (rerate_id, phase),
    CHECK ((cursor_at IS NULL) = (cursor_identity IS NULL))
) WITH (fillfactor = 50);

-- What a pass changes, by who spent it and why: each cause begins with the amounts that the one before left. cause '' =
-- whatever the cause, where each event counts once.
CREATE TABLE rerate_differences (
    rerate_id text NOT NULL,
    tenant text NOT NULL,
    phase text NOT NULL,
    team text NOT NULL,
    provider text NOT NULL,
    sku text NOT NULL,
    currency text NOT NULL,
    cause text NOT NULL
        CHECK (cause IN ('', 'price', 'name', 'multiplier', 'contract', 'fx', 'terms', 'engine')),
    events bigint NOT NULL,
    list_before numeric NOT NULL,
    list_after numeric NOT NULL,
    contracted_before numeric NOT NULL,
    contracted_after numeric NOT NULL,
    effective_before numeric NOT NULL,
    effective_after numeric NOT NULL,
    PRIMARY KEY (rerate_id, phase, team, provider, sku, currency, cause),
    FOREIGN KEY (rerate_id, phase) REFERENCES rerate_passes
) WITH (fillfactor = 60);

-- Entries that stay as they are though a job is about them; the first of them, left_alone counts all.
CREATE TABLE rerate_left (
    rerate_id text NOT NULL,
    tenant text NOT NULL,
    phase text NOT NULL,
    occurred_at timestamptz NOT NULL,
    identity bytea NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (rerate_id, phase, occurred_at, identity),
    FOREIGN KEY (rerate_id, phase) REFERENCES rerate_passes
);

-- Booked by an older version of the catalog than the newest one that the booking saw, or in another currency than the
-- tenant's terms. Within a partition the order of origin_offset is that in which they were committed.
ALTER TABLE late_rated
    ADD COLUMN tenant text,
    ADD COLUMN origin_partition int,
    ADD COLUMN origin_offset bigint,
    ADD COLUMN other_currency boolean NOT NULL DEFAULT true;
UPDATE late_rated l
SET tenant = e.tenant, origin_partition = e.origin_partition, origin_offset = e.origin_offset
FROM entries e WHERE e.occurred_at = l.occurred_at AND e.identity = l.identity AND e.seq = 0;
ALTER TABLE late_rated
    ALTER COLUMN tenant SET NOT NULL,
    ALTER COLUMN origin_partition SET NOT NULL,
    ALTER COLUMN origin_offset SET NOT NULL,
    ALTER COLUMN other_currency DROP DEFAULT;
CREATE INDEX late_rated_origin ON late_rated (origin_partition, origin_offset);

-- Up to where the late ones of each partition were put through the jobs that concern them.
CREATE TABLE late_marks (
    partition int PRIMARY KEY,
    next_offset bigint NOT NULL
) WITH (fillfactor = 20);

-- migrate: rollback

DROP TABLE late_marks;
DROP INDEX late_rated_origin;
ALTER TABLE late_rated DROP COLUMN other_currency, DROP COLUMN origin_offset, DROP COLUMN origin_partition,
    DROP COLUMN tenant;
DROP TABLE rerate_left, rerate_differences, rerate_passes, rerate_jobs;
