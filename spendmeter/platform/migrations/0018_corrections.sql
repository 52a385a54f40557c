-- Corrections: further, signed entries, and who writes them.
-- depends: 0017_unit_columns

-- migrate: apply

-- seq 0 is the usage as first booked. Then come pairs: an odd seq reverses the entry before it (its sums negated, all
-- else the same, without event and lines), and an even one replaces it. A retraction is a reversal that nothing
-- follows. A replacement without an event is about the last event stated below it. What the corrector writes it counts
-- without gaps, in the order of its commits: origin (-1, n).
ALTER TABLE entries
    ADD COLUMN correction_id text,
    ALTER COLUMN event DROP NOT NULL,
    ALTER COLUMN lines DROP NOT NULL,
    DROP CONSTRAINT entries_list_check,
    DROP CONSTRAINT entries_contracted_check,
    DROP CONSTRAINT entries_effective_check,
    ADD CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity'
        AND CASE WHEN seq % 2 = 0 THEN list >= 0 ELSE list <= 0 END),
    ADD CONSTRAINT entries_contracted_check CHECK (contracted > '-Infinity' AND contracted < 'Infinity'
        AND CASE WHEN seq % 2 = 0 THEN contracted >= 0 ELSE contracted <= 0 END),
    ADD CONSTRAINT entries_effective_check CHECK (effective > '-Infinity' AND effective < 'Infinity'
        AND CASE WHEN seq % 2 = 0 THEN effective >= 0 ELSE effective <= 0 END),
    ADD CONSTRAINT entries_kind_check CHECK (seq >= 0 AND CASE
        WHEN seq = 0 THEN correction_id IS NULL AND event IS NOT NULL AND lines IS NOT NULL AND origin_partition >= 0
        WHEN seq % 2 = 1 THEN correction_id IS NOT NULL AND event IS NULL AND lines IS NULL AND origin_partition = -1
        ELSE correction_id IS NOT NULL AND lines IS NOT NULL AND origin_partition = -1 END);

-- The book in the order in which it was written, partition by partition: whoever follows it keeps a mark for each. Not
-- unique: a topic that was created anew counts from 0 again (docs/stopped-line.md).
CREATE INDEX entries_origin ON entries (origin_partition, origin_offset);

-- What counts of each event now: the last entry, unless it is reversed. Its event is filled in.
CREATE VIEW entries_in_force WITH (security_invoker = true) AS
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

-- How far usage.corrections is worked off, and the number of the next entry: moved from the sought values by every
-- transaction that corrects, which is what keeps a second corrector out.
CREATE TABLE corrector (
    alone boolean PRIMARY KEY DEFAULT true CHECK (alone),
    topic text NOT NULL,
    position bigint NOT NULL DEFAULT 0,
    next_entry bigint NOT NULL DEFAULT 0,
    accepted bigint NOT NULL DEFAULT 0,
    repeated bigint NOT NULL DEFAULT 0,
    stray bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);

-- Every correction that was asked for, and what became of it. accepted = applied + refused + duplicate + superseded +
-- waiting + unknown. Waiting: its event is not booked yet; log_ends[p + 1] is where partition p ended when it came,
-- and once all are booked up to there the event is unknown for good.
CREATE TABLE corrections (
    correction_id text PRIMARY KEY,
    tenant text NOT NULL,
    identity bytea NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('amend', 'retract')),
    revision int NOT NULL,
    patch text,
    reason text NOT NULL,
    author text NOT NULL,
    requested_at timestamptz NOT NULL,
    state text NOT NULL
        CHECK (state IN ('applied', 'refused', 'duplicate', 'superseded', 'waiting', 'unknown')),
    why text NOT NULL DEFAULT '',
    seqs smallint[] NOT NULL DEFAULT '{}',
    accepted_at timestamptz NOT NULL DEFAULT now(),
    applied_at timestamptz,
    log_ends bigint[] CHECK ((log_ends IS NOT NULL) = (state = 'waiting'))
);
CREATE INDEX corrections_identity ON corrections (identity);
CREATE INDEX corrections_tenant ON corrections (tenant, requested_at);
CREATE INDEX corrections_waiting ON corrections (accepted_at) WHERE state = 'waiting';

-- What the last amend and the retraction of an event said: the ledger holds its copies against it. An amend may change
-- nothing and leave no entry, yet those of a lower revision come too late: hence the version that it asked for.
CREATE TABLE corrected_identities (
    identity bytea PRIMARY KEY,
    revision int,
    amend_id text,
    amended_hash bytea,
    catalog_version int NOT NULL,
    retracted_at timestamptz,
    CHECK ((revision IS NULL) = (amend_id IS NULL) AND (revision IS NULL) = (amended_hash IS NULL))
);

-- migrate: rollback

DROP TABLE corrected_identities, corrections, corrector;
DROP VIEW entries_in_force;
DROP INDEX entries_origin;
ALTER TABLE entries
    DROP CONSTRAINT entries_kind_check,
    DROP COLUMN correction_id,
    ALTER COLUMN event SET NOT NULL,
    ALTER COLUMN lines SET NOT NULL,
    DROP CONSTRAINT entries_list_check,
    DROP CONSTRAINT entries_contracted_check,
    DROP CONSTRAINT entries_effective_check,
    ADD CONSTRAINT entries_list_check CHECK (list > '-Infinity' AND list < 'Infinity' AND (seq > 0 OR list >= 0)),
    ADD CONSTRAINT entries_contracted_check
        CHECK (contracted > '-Infinity' AND contracted < 'Infinity' AND (seq > 0 OR contracted >= 0)),
    ADD CONSTRAINT entries_effective_check
        CHECK (effective > '-Infinity' AND effective < 'Infinity' AND (seq > 0 OR effective >= 0));
