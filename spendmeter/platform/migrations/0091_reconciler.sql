-- What the reconciler has proved of the book, and what it has found wrong.
-- depends: 0086_true_ups 0087_moments

-- migrate: apply

-- Of each partition of usage.events (the corrector's entries are -1): `first_origin` is where it began to look, `looked` how
-- far it has come, `next_origin` up to where nothing is wrong that nobody has seen. Then what lay there by its own count;
-- `without_record`: entries whose record the broker no longer had.
CREATE TABLE proved_marks (
    partition int PRIMARY KEY,
    origin_topic text NOT NULL,
    first_origin bigint NOT NULL,
    looked bigint NOT NULL,
    next_origin bigint NOT NULL,
    booked bigint NOT NULL DEFAULT 0,
    duplicate bigint NOT NULL DEFAULT 0,
    conflict bigint NOT NULL DEFAULT 0,
    rejected bigint NOT NULL DEFAULT 0,
    without_record bigint NOT NULL DEFAULT 0,
    looked_at timestamptz NOT NULL,
    CHECK (next_origin <= looked AND first_origin <= looked)
) WITH (fillfactor = 20);

-- The last of `moments` of which every offset is proved, by when nothing else was in the book yet (null = none is proved),
-- and when that was looked at last. `line`: why the line stood still then ('' = it moved).
CREATE TABLE proved_until (
    alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
    moment timestamptz,
    held_until timestamptz,
    proved_at timestamptz NOT NULL,
    line text NOT NULL DEFAULT '',
    CHECK ((moment IS NULL) = (held_until IS NULL))
) WITH (fillfactor = 20);

-- What is wrong, once each: which rule of verify, what, of which row; where the row has an offset, at which (of the
-- corrector's entries partition -1 and topic ''). Tenant '' = of
-- nobody in particular. Rows are never taken back: what was wrong once is part of the book's history.
CREATE TABLE proof_findings (
    id bytea PRIMARY KEY,
    tenant text NOT NULL,
    invariant text NOT NULL,
    what text NOT NULL,
    named text NOT NULL,
    origin_topic text,
    partition int,
    origin_offset bigint,
    found_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((partition IS NULL) = (origin_offset IS NULL) AND (partition IS NULL) = (origin_topic IS NULL))
);
CREATE INDEX proof_findings_tenant ON proof_findings (tenant, found_at);

-- An operator has seen a finding, and says why the proof may go on past it.
CREATE TABLE proof_acts (
    finding bytea PRIMARY KEY REFERENCES proof_findings,
    tenant text NOT NULL,
    note text NOT NULL CHECK (note <> ''),
    seen_by text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);

-- What was found, the newest first: of `app.tenant`, or of all where there is none.
CREATE FUNCTION findings_seen(rows_max int)
RETURNS TABLE (id bytea, tenant text, invariant text, what text, named text, partition int, origin_offset bigint,
    found_at timestamptz, last_seen_at timestamptz, note text, seen_by text, seen_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.id, f.tenant, f.invariant, f.what, f.named, f.partition, f.origin_offset, f.found_at, f.last_seen_at,
        a.note, a.seen_by, a.seen_at
    FROM proof_findings f LEFT JOIN proof_acts a ON a.finding = f.id
    WHERE coalesce(current_setting('app.tenant', true), '') IN ('', '*', f.tenant)
    ORDER BY a.finding IS NOT NULL, f.found_at DESC, f.id LIMIT rows_max
$$;

-- Lets the proof go on past a finding; false = there is none, or it was let pass before. For operators alone: with a tenant
-- nothing is done.
CREATE FUNCTION see_finding(of_finding bytea, by text, why text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH act AS (
        INSERT INTO proof_acts (finding, tenant, note, seen_by)
        SELECT f.id, f.tenant, why, by FROM proof_findings f
        WHERE f.id = of_finding AND coalesce(current_setting('app.tenant', true), '') IN ('', '*')
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT EXISTS (SELECT FROM act)
$$;

-- migrate: rollback

DROP FUNCTION see_finding(bytea, text, text);
DROP FUNCTION findings_seen(int);
DROP TABLE proof_acts, proof_findings, proved_until, proved_marks;
