-- What was not booked: what was booked in its place, whose fault it is, and an incident where there is much of it.
-- depends: 0018_corrections

-- migrate: apply

-- That `identity` was booked in the place of `superseded`, as its sender says. Written by the booking transaction, of
-- events that say so alone; source and event_id are the booked event's.
CREATE TABLE supersessions (
    tenant text NOT NULL,
    superseded bytea NOT NULL,
    identity bytea NOT NULL,
    source text NOT NULL,
    event_id text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (superseded, identity)
);

CREATE INDEX unbooked_duplicates ON unbooked (tenant, recorded_at) WHERE outcome = 'duplicate';

-- What was booked in the place of what was not: an event that names it, or, of what was rejected and so left its id
-- free, one that came later under the same id. No row = nothing yet.
CREATE FUNCTION booked_instead(u unbooked) RETURNS TABLE (source text, id text, at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT s.source, s.event_id, s.recorded_at FROM supersessions s
    WHERE s.superseded = u.identity AND s.tenant = u.tenant
    UNION ALL
    SELECT u.source, u.event_id, e.recorded_at FROM entries e
    WHERE u.outcome = 'rejected' AND e.occurred_at = find_occurred_at(u.identity) AND e.identity = u.identity
        AND e.seq = 0 AND (e.recorded_at, e.origin_offset) > (u.recorded_at, u.origin_offset)
    ORDER BY 3 LIMIT 1
$$;

-- What names no tenant, the newest of it: for operators who act for none.
CREATE FUNCTION unattributable(since timestamptz, until timestamptz, rows_max int) RETURNS SETOF unbooked
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT * FROM unbooked
    WHERE tenant = '' AND coalesce(current_setting('app.tenant', true), '') IN ('', '*')
        AND outcome <> 'duplicate' AND recorded_at >= since AND recorded_at < until
    ORDER BY recorded_at DESC LIMIT rows_max
$$;

-- A reason without its figures and what it quotes: ten thousand rows of one fault have one.
CREATE FUNCTION fault_of(reason text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT regexp_replace(reason, '''[^'']*''|"[^"]*"|\m[0-9]([0-9.,:TZ+-]*[0-9Z])?', '…', 'g')
$$;

-- An incident about what was not booked has episodes and cools down, as an anomaly does.
ALTER TABLE incidents
    DROP CONSTRAINT incidents_kind_check,
    ADD CONSTRAINT incidents_kind_check CHECK (kind IN ('budget', 'anomaly', 'unbooked')),
    DROP CONSTRAINT incidents_check2,
    ADD CONSTRAINT incidents_check2 CHECK ((kind IN ('anomaly', 'unbooked')) = (episode IS NOT NULL));
DROP INDEX incidents_resolved;
CREATE INDEX incidents_resolved ON incidents (tenant, resolved_at) WHERE kind <> 'budget';

-- migrate: rollback

DELETE FROM acknowledgements WHERE (tenant, incident_id) IN (SELECT tenant, id FROM incidents WHERE kind = 'unbooked');
DELETE FROM deliveries WHERE (tenant, incident_id) IN (SELECT tenant, id FROM incidents WHERE kind = 'unbooked');
DELETE FROM incidents WHERE kind = 'unbooked';
DROP INDEX incidents_resolved;
CREATE INDEX incidents_resolved ON incidents (tenant, resolved_at) WHERE kind = 'anomaly';
ALTER TABLE incidents
    DROP CONSTRAINT incidents_kind_check,
    ADD CONSTRAINT incidents_kind_check CHECK (kind IN ('budget', 'anomaly')),
    DROP CONSTRAINT incidents_check2,
    ADD CONSTRAINT incidents_check2 CHECK ((kind = 'anomaly') = (episode IS NOT NULL));
DROP FUNCTION fault_of(text);
DROP FUNCTION unattributable(timestamptz, timestamptz, int);
DROP FUNCTION booked_instead(unbooked);
DROP INDEX unbooked_duplicates;
DROP TABLE supersessions;
