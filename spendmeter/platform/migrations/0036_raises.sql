-- What was booked of a call that was interrupted is amended by the sender's own later word of it.
-- depends: 0032_outcomes

-- migrate: apply

-- Conflicts as they were sent, in their order, until the corrector has looked at them: a message that says more of the
-- same use amends what is booked, any other is what it was. The rows of unbooked stay, whatever becomes of these.
CREATE TABLE later_messages (
    origin_topic text NOT NULL,
    origin_partition int NOT NULL,
    origin_offset bigint NOT NULL,
    tenant text NOT NULL,
    identity bytea NOT NULL,
    event text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (origin_partition, origin_offset, origin_topic)
);

-- The id of the amend that a conflict makes, by where it came from.
CREATE FUNCTION raise_id(topic text, partition int, "offset" bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT format('raise-%s-%s-%s', topic, partition, "offset")
$$;

-- Whether what is booked was amended by this conflict, and counts.
CREATE FUNCTION was_raised(u unbooked) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT u.outcome = 'conflict' AND EXISTS (
        SELECT FROM corrections c
        WHERE c.correction_id = raise_id(u.origin_topic, u.origin_partition, u.origin_offset) AND c.tenant = u.tenant
            AND c.state = 'applied'
    ) AND NOT was_retracted(u.identity)
$$;

-- As before, and of a conflict by which what is booked was amended, that.
CREATE OR REPLACE FUNCTION booked_instead(u unbooked) RETURNS TABLE (source text, id text, at timestamptz)
LANGUAGE sql STABLE AS $$
    SELECT s.source, s.event_id, s.recorded_at FROM supersessions s
    WHERE s.superseded = u.identity AND s.tenant = u.tenant AND NOT was_retracted(s.identity)
    UNION ALL
    SELECT u.source, u.event_id, e.recorded_at FROM entries e
    WHERE u.outcome = 'rejected' AND e.occurred_at = find_occurred_at(u.identity) AND e.identity = u.identity
        AND e.seq = 0 AND (e.recorded_at, e.origin_offset) > (u.recorded_at, u.origin_offset)
        AND NOT was_retracted(u.identity)
    UNION ALL
    SELECT u.source, u.event_id, c.applied_at FROM corrections c
    WHERE was_raised(u) AND c.tenant = u.tenant
        AND c.correction_id = raise_id(u.origin_topic, u.origin_partition, u.origin_offset)
    ORDER BY 3 LIMIT 1
$$;

-- migrate: rollback

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
DROP FUNCTION was_raised(unbooked);
DROP FUNCTION raise_id(text, int, bigint);
DROP TABLE later_messages;
