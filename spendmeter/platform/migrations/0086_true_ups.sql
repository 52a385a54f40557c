-- What steps, allowances and commitments of whole periods change of what was booked event by event.
-- depends: 0075_model_days 0080_readouts_changed 0081_behind_book

-- migrate: apply

-- seq -2 is a true-up: of a period of a term, and of no event. It adds, is signed, has an identity of its own that no
-- sender can make, and is numbered among the corrector's entries. It is never reversed: the next revision says what is
-- left to do.
ALTER TABLE entries
    DROP CONSTRAINT entries_list_check,
    DROP CONSTRAINT entries_contracted_check,
    DROP CONSTRAINT entries_effective_check,
    DROP CONSTRAINT entries_kind_check,
    ADD CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq = -2 THEN list = 0 WHEN seq % 2 = 0 THEN list >= 0 ELSE list <= 0 END)),
    ADD CONSTRAINT entries_contracted_check CHECK (contracted > '-Infinity' AND contracted < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq = -2 THEN contracted = 0 WHEN seq % 2 = 0 THEN contracted >= 0
            ELSE contracted <= 0 END)),
    ADD CONSTRAINT entries_effective_check CHECK (effective > '-Infinity' AND effective < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq = -2 THEN effective <> 0 WHEN seq % 2 = 0 THEN effective >= 0
            ELSE effective <= 0 END)),
    ADD CONSTRAINT entries_kind_check CHECK ((seq >= 0 OR seq = -2) AND CASE
        WHEN seq = -2 THEN correction_id IS NULL AND event IS NOT NULL AND lines IS NOT NULL AND origin_partition = -1
            AND status = 'priced'
        WHEN seq = 0 THEN correction_id IS NULL AND event IS NOT NULL AND lines IS NOT NULL AND origin_partition >= 0
        WHEN seq % 2 = 1 THEN correction_id IS NOT NULL AND event IS NULL AND lines IS NULL AND origin_partition = -1
        ELSE correction_id IS NOT NULL AND lines IS NOT NULL AND origin_partition = -1 END);

-- What counts of each event now: a true-up is of none, and nothing prices it anew.
CREATE OR REPLACE VIEW entries_in_force WITH (security_invoker = true) AS
SELECT e.occurred_at, e.recorded_at, e.origin_offset, e.origin_partition, e.catalog_version, e.accounting_period, e.seq,
    e.identity, e.series_id, e.tenant, e.status, e.currency, e.list, e.contracted, e.effective,
    coalesce(e.event, (
        SELECT s.event FROM entries s
        WHERE s.occurred_at = e.occurred_at AND s.identity = e.identity AND s.seq < e.seq AND s.event IS NOT NULL
        ORDER BY s.seq DESC LIMIT 1
    )) AS event,
    e.lines, e.correction_id
FROM entries e
WHERE e.seq >= 0 AND e.seq % 2 = 0 AND NOT EXISTS (
    SELECT FROM entries r WHERE r.occurred_at = e.occurred_at AND r.identity = e.identity AND r.seq = e.seq + 1
);

-- Every true-up that was booked, beside its entry: what is left to do of a period of a term after those of lower
-- revisions. Periods are of UTC days, from period_start to before period_end; counted are those before covered_to.
CREATE TABLE true_ups (
    tenant text NOT NULL,
    term text NOT NULL,
    period_start date NOT NULL,
    revision int NOT NULL,
    period_end date NOT NULL,
    covered_to date NOT NULL,
    identity bytea NOT NULL,
    occurred_at timestamptz NOT NULL,
    effect text NOT NULL,
    provider text NOT NULL,
    cost_class text NOT NULL,
    currency text NOT NULL,
    amount numeric NOT NULL CHECK (amount <> 0),
    catalog_version int NOT NULL,
    explanation text[] NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, term, period_start, revision)
);

-- How each term of each period stands, by what is folded of its days. booked: without true-ups; due: by the term;
-- trued_up: of all revisions; used and unused: of what a commitment pays. missing: what makes it provisional. refused: why
-- nothing is worked out, and then the figures say nothing.
CREATE TABLE true_up_periods (
    tenant text NOT NULL,
    term text NOT NULL,
    period_start date NOT NULL,
    period_end date NOT NULL,
    covered_to date NOT NULL,
    ended boolean NOT NULL,
    effect text NOT NULL,
    provider text NOT NULL,
    units text[] NOT NULL,
    cost_class text NOT NULL,
    currency text NOT NULL,
    quantity numeric NOT NULL,
    booked numeric NOT NULL,
    due numeric NOT NULL,
    trued_up numeric NOT NULL,
    used numeric,
    unused numeric,
    revisions int NOT NULL,
    explanation text[] NOT NULL,
    missing text[] NOT NULL,
    refused text NOT NULL,
    catalog_version int NOT NULL,
    looked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, term, period_start),
    CHECK (num_nulls(used, unused) IN (0, 2))
);
CREATE INDEX true_up_periods_end ON true_up_periods (tenant, period_end);

-- Days that are over, and of which cells have changed since: written by the transaction that changed them.
CREATE TABLE true_ups_due (
    tenant text NOT NULL,
    day date NOT NULL
);

-- Whose periods there are: asked every few seconds.
CREATE INDEX catalog_entries_periods ON catalog_entries (tenant) WHERE type = 'spendmeter.catalog.period.v1';

-- Up to which day, and by which version of the catalog, each tenant's periods were worked out.
CREATE TABLE true_up_marks (
    tenant text PRIMARY KEY,
    horizon date NOT NULL,
    catalog_version int NOT NULL
);

-- What a period changes was not spent at its minute either: nobody looks for bursts or levels in its series.
CREATE INDEX series_of_true_ups ON series (tenant) WHERE sku = 'true-up' AND key_id = '';
CREATE OR REPLACE FUNCTION accrual_series(of_tenant text) RETURNS bytea[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(series_id), '{}') FROM (
        SELECT series_id FROM series WHERE tenant = of_tenant AND key_id = 'k2a6753d30404'
        UNION ALL SELECT series_id FROM series WHERE tenant = of_tenant AND sku = 'true-up' AND key_id = ''
    ) AS of_no_minute
$$;

-- A corrector of before takes a true-up for an event, and counts it among calls.
CREATE OR REPLACE FUNCTION refuse_old_corrector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(nullif(current_setting('app.fold_rules', true), ''), '0')::int < 2 THEN
        RAISE EXCEPTION 'this corrector is older than the schema: it would fold the book by rules of before'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Start the corrector of the release that migrated.';
    END IF;
    RETURN NULL;
END
$$;

-- migrate: rollback

DO $$ BEGIN
    IF EXISTS (SELECT FROM entries WHERE seq = -2) THEN
        RAISE EXCEPTION 'true-ups are booked, and nothing booked is taken away: this migration stays';
    END IF;
END $$;
CREATE OR REPLACE FUNCTION refuse_old_corrector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(nullif(current_setting('app.fold_rules', true), ''), '0')::int < 1 THEN
        RAISE EXCEPTION 'this corrector is older than the schema: it would fold the book by rules of before'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Start the corrector of the release that migrated.';
    END IF;
    RETURN NULL;
END
$$;
DROP INDEX catalog_entries_periods;
DROP TABLE true_up_marks, true_ups_due, true_up_periods, true_ups;
CREATE OR REPLACE FUNCTION accrual_series(of_tenant text) RETURNS bytea[] LANGUAGE sql STABLE AS $$
    SELECT coalesce(array_agg(series_id), '{}') FROM series WHERE tenant = of_tenant AND key_id = 'k2a6753d30404'
$$;
DROP INDEX series_of_true_ups;
CREATE OR REPLACE VIEW entries_in_force WITH (security_invoker = true) AS
SELECT e.occurred_at, e.recorded_at, e.origin_offset, e.origin_partition, e.catalog_version, e.accounting_period, e.seq,
    e.identity, e.series_id, e.tenant, e.status, e.currency, e.list, e.contracted, e.effective,
    coalesce(e.event, (
        SELECT s.event FROM entries s
        WHERE s.occurred_at = e.occurred_at AND s.identity = e.identity AND s.seq < e.seq AND s.event IS NOT NULL
        ORDER BY s.seq DESC LIMIT 1
    )) AS event,
    e.lines, e.correction_id
FROM entries e
WHERE e.seq % 2 = 0 AND NOT EXISTS (
    SELECT FROM entries r WHERE r.occurred_at = e.occurred_at AND r.identity = e.identity AND r.seq = e.seq + 1
);
ALTER TABLE entries
    DROP CONSTRAINT entries_list_check,
    DROP CONSTRAINT entries_contracted_check,
    DROP CONSTRAINT entries_effective_check,
    DROP CONSTRAINT entries_kind_check,
    ADD CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq % 2 = 0 THEN list >= 0 ELSE list <= 0 END)),
    ADD CONSTRAINT entries_contracted_check CHECK (contracted > '-Infinity' AND contracted < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq % 2 = 0 THEN contracted >= 0 ELSE contracted <= 0 END)),
    ADD CONSTRAINT entries_effective_check CHECK (effective > '-Infinity' AND effective < 'Infinity'
        AND (status = 'reported' OR CASE WHEN seq % 2 = 0 THEN effective >= 0 ELSE effective <= 0 END)),
    ADD CONSTRAINT entries_kind_check CHECK (seq >= 0 AND CASE
        WHEN seq = 0 THEN correction_id IS NULL AND event IS NOT NULL AND lines IS NOT NULL AND origin_partition >= 0
        WHEN seq % 2 = 1 THEN correction_id IS NOT NULL AND event IS NULL AND lines IS NULL AND origin_partition = -1
        ELSE correction_id IS NOT NULL AND lines IS NOT NULL AND origin_partition = -1 END);
