-- Up to where the book and what is folded from it have come: what alerts needs to know that something is quiet.
-- depends: 0043_forecasts 0044_reservations 0050_channel_settings

-- migrate: apply

-- Of each partition of usage.events: how far its log reached at read_at, and up to where it is booked and `folded` by a
-- projection (of the account that is open; 0 where it has not begun).
CREATE FUNCTION progress_of_book(of_projection text)
RETURNS TABLE (partition int, read_at timestamptz, log_end bigint, booked bigint, folded bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.partition, e.read_at, e.log_end, coalesce(p.next_origin, 0), coalesce((
        SELECT next_offset FROM projection_marks m
        WHERE m.projection = of_projection AND m.partition = e.partition
            AND m.account = (SELECT count(*) FROM closed_accounts c WHERE c.partition = e.partition)
    ), 0)
    FROM log_ends e LEFT JOIN positions p USING (partition)
$$;

-- migrate: rollback

DROP FUNCTION progress_of_book(text);
