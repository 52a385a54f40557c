-- A finding is gone once all was looked at again and it was not found: the proof goes on, and the row stays.
-- depends: 0091_reconciler

-- migrate: apply

ALTER TABLE proof_findings ADD COLUMN gone_at timestamptz;

DROP FUNCTION findings_seen(int);

-- What was found, what stands in the proof's way first, then the newest: of `app.tenant`, or of all where there is none.
CREATE FUNCTION findings_seen(rows_max int)
RETURNS TABLE (id bytea, tenant text, invariant text, what text, named text, partition int, origin_offset bigint,
    found_at timestamptz, last_seen_at timestamptz, gone_at timestamptz, note text, seen_by text, seen_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT f.id, f.tenant, f.invariant, f.what, f.named, f.partition, f.origin_offset, f.found_at, f.last_seen_at, f.gone_at,
        a.note, a.seen_by, a.seen_at
    FROM proof_findings f LEFT JOIN proof_acts a ON a.finding = f.id
    WHERE coalesce(current_setting('app.tenant', true), '') IN ('', '*', f.tenant)
    ORDER BY a.finding IS NOT NULL OR f.gone_at IS NOT NULL, f.found_at DESC, f.id LIMIT rows_max
$$;

-- migrate: rollback

DROP FUNCTION findings_seen(int);
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
ALTER TABLE proof_findings DROP COLUMN gone_at;
