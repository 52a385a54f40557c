-- Each tenant has ids of re-rates of its own; where the book stood at a dry run; no ledger books that leaves no marks.
-- depends: 0023_alerts_follow_corrections 0025_rolled

-- migrate: apply

ALTER TABLE rerate_left DROP CONSTRAINT rerate_left_rerate_id_phase_fkey, DROP CONSTRAINT rerate_left_pkey;
ALTER TABLE rerate_differences
    DROP CONSTRAINT rerate_differences_rerate_id_phase_fkey, DROP CONSTRAINT rerate_differences_pkey;
ALTER TABLE rerate_passes DROP CONSTRAINT rerate_passes_rerate_id_fkey, DROP CONSTRAINT rerate_passes_pkey;
ALTER TABLE rerate_jobs DROP CONSTRAINT rerate_jobs_pkey, ADD PRIMARY KEY (tenant, rerate_id);

-- Of a dry run: where the book stood when it began. booked_to[p + 1] is the next offset of partition p, corrected_to
-- the number of the corrector's next entry: it sees what lies before. Of an applying pass: how many entries it saw that
-- do not, booked or corrected since, and how many of them it changed.
ALTER TABLE rerate_passes
    ADD PRIMARY KEY (tenant, rerate_id, phase),
    ADD FOREIGN KEY (tenant, rerate_id) REFERENCES rerate_jobs,
    ADD COLUMN booked_to bigint[],
    ADD COLUMN corrected_to bigint,
    ADD COLUMN since_dry_run bigint NOT NULL DEFAULT 0,
    ADD COLUMN since_dry_run_changed bigint NOT NULL DEFAULT 0;
ALTER TABLE rerate_differences
    ADD PRIMARY KEY (tenant, rerate_id, phase, team, provider, sku, currency, cause),
    ADD FOREIGN KEY (tenant, rerate_id, phase) REFERENCES rerate_passes;
ALTER TABLE rerate_left
    ADD PRIMARY KEY (tenant, rerate_id, phase, occurred_at, identity),
    ADD FOREIGN KEY (tenant, rerate_id, phase) REFERENCES rerate_passes;

DROP INDEX rerate_jobs_running;
CREATE INDEX rerate_jobs_running ON rerate_jobs (tenant, rerate_id) WHERE state IN ('previewing', 'applying');

-- A ledger of before 0016 does not count its bookings here, nor does it mark what they touch. It is stopped by an error
-- of no record's: of one that is about data it would think that honest events are to blame. The owner may set a position.
ALTER TABLE positions ADD COLUMN bookings bigint NOT NULL DEFAULT 0;
CREATE FUNCTION refuse_old_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'this ledger is older than the schema: its bookings leave no marks, and would be missing from rollups'
        USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Start the ledger of the release that migrated.';
END
$$;
CREATE TRIGGER refuse_old_ledger BEFORE UPDATE OF position ON positions
    FOR EACH ROW WHEN (NEW.position > OLD.position AND NEW.bookings = OLD.bookings
        AND current_user = current_database() || '_ledger')
    EXECUTE FUNCTION refuse_old_ledger();

-- What was booked in the place of another counts for it until it is retracted.
CREATE FUNCTION was_retracted(booked bytea) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT seq % 2 = 1 FROM entries WHERE occurred_at = find_occurred_at(booked) AND identity = booked
        ORDER BY seq DESC LIMIT 1
    ), false)
$$;
CREATE OR REPLACE FUNCTION booked_instead(u unbooked) RETURNS TABLE (source text, id text, at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT s.source, s.event_id, s.recorded_at FROM supersessions s
    WHERE s.superseded = u.identity AND s.tenant = u.tenant AND NOT was_retracted(s.identity)
    UNION ALL
    SELECT u.source, u.event_id, e.recorded_at FROM entries e
    WHERE u.outcome = 'rejected' AND e.occurred_at = find_occurred_at(u.identity) AND e.identity = u.identity
        AND e.seq = 0 AND (e.recorded_at, e.origin_offset) > (u.recorded_at, u.origin_offset)
        AND NOT was_retracted(u.identity)
    ORDER BY 3 LIMIT 1
$$;

-- migrate: rollback

CREATE OR REPLACE FUNCTION booked_instead(u unbooked) RETURNS TABLE (source text, id text, at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT s.source, s.event_id, s.recorded_at FROM supersessions s
    WHERE s.superseded = u.identity AND s.tenant = u.tenant
    UNION ALL
    SELECT u.source, u.event_id, e.recorded_at FROM entries e
    WHERE u.outcome = 'rejected' AND e.occurred_at = find_occurred_at(u.identity) AND e.identity = u.identity
        AND e.seq = 0 AND (e.recorded_at, e.origin_offset) > (u.recorded_at, u.origin_offset)
    ORDER BY 3 LIMIT 1
$$;
DROP FUNCTION was_retracted(bytea);

DROP TRIGGER refuse_old_ledger ON positions;
DROP FUNCTION refuse_old_ledger();
ALTER TABLE positions DROP COLUMN bookings;
DROP INDEX rerate_jobs_running;
ALTER TABLE rerate_left DROP CONSTRAINT rerate_left_tenant_rerate_id_phase_fkey, DROP CONSTRAINT rerate_left_pkey;
ALTER TABLE rerate_differences
    DROP CONSTRAINT rerate_differences_tenant_rerate_id_phase_fkey, DROP CONSTRAINT rerate_differences_pkey;
ALTER TABLE rerate_passes
    DROP CONSTRAINT rerate_passes_tenant_rerate_id_fkey,
    DROP CONSTRAINT rerate_passes_pkey,
    DROP COLUMN booked_to,
    DROP COLUMN corrected_to,
    DROP COLUMN since_dry_run,
    DROP COLUMN since_dry_run_changed;
ALTER TABLE rerate_jobs DROP CONSTRAINT rerate_jobs_pkey, ADD PRIMARY KEY (rerate_id);
ALTER TABLE rerate_passes ADD PRIMARY KEY (rerate_id, phase), ADD FOREIGN KEY (rerate_id) REFERENCES rerate_jobs;
ALTER TABLE rerate_differences
    ADD PRIMARY KEY (rerate_id, phase, team, provider, sku, currency, cause),
    ADD FOREIGN KEY (rerate_id, phase) REFERENCES rerate_passes;
ALTER TABLE rerate_left
    ADD PRIMARY KEY (rerate_id, phase, occurred_at, identity),
    ADD FOREIGN KEY (rerate_id, phase) REFERENCES rerate_passes;
CREATE INDEX rerate_jobs_running ON rerate_jobs (rerate_id) WHERE state IN ('previewing', 'applying');
