-- What a database restored or rolled back has forgotten: publications of the catalog; since when minutes are there.
-- depends: 0028_minutes_by_day 0029_rerates_by_tenant

-- migrate: apply

-- How each publication after `since` was recorded: it travels with its entries, so that the topic alone can say it.
CREATE FUNCTION catalog_publications_after(since int)
RETURNS TABLE (version int, entries int, note text, published_at timestamptz, recorded_by text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT p.version, p.entries, p.note, p.published_at,
        (SELECT c.recorded_by FROM catalog_entries c WHERE c.version = p.version LIMIT 1)
    FROM catalog_publications p WHERE p.version > since ORDER BY p.version
$$;

-- Records a publication as catalog_record does, which asks that it be the next one and that a tenant's key brings what is
-- its tenant's alone; with the instant at which it was first recorded.
CREATE FUNCTION catalog_bring_back(new_version int, bodies text[], by text, why text, at timestamptz) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM catalog_record(new_version, bodies, by, why);
    UPDATE catalog_entries SET recorded_at = at WHERE version = new_version;
    UPDATE catalog_publications SET published_at = at WHERE version = new_version;
END
$$;

-- 0028 rolled back and applied again makes minutes_kept anew, without its row: questions for minutes that were dropped
-- would be answered with 0. What was frozen says it: the last frozen hour lies in the last day that was dropped and had
-- any. No row where nothing was dropped.
INSERT INTO minutes_kept (since)
SELECT date_trunc('day', max(bucket), 'UTC') + interval '24 hours' FROM rollups
WHERE size = 'hour' AND part = -2 AND NOT EXISTS (SELECT FROM minutes_kept)
HAVING max(bucket) IS NOT NULL;

-- migrate: rollback

DROP FUNCTION catalog_bring_back(int, text[], text, text, timestamptz);
DROP FUNCTION catalog_publications_after(int);
