-- Alerts follow corrections: what they changed of a sum, and incidents of budgets that open again after one.
-- depends: 0017_unit_columns 0019_rerates 0020_projections 0021_dimensions 0024_scope_correct

-- migrate: apply

-- As before, and how much of `effective` is corrections'.
DROP FUNCTION spent(text, text[], timestamptz[], timestamptz[]);
CREATE FUNCTION spent(of_tenant text, sizes text[], since timestamptz[], until timestamptz[])
RETURNS TABLE (bucket timestamptz, series_id bytea, currency text, events bigint, unpriced_events bigint, list numeric,
    contracted numeric, effective numeric, of_which_provisional numeric, usage jsonb,
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric, reasoning_tokens numeric, embedding_tokens numeric, requests numeric,
    searches numeric, corrected numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.* FROM unnest(sizes, since, until) AS piece (size, since, until) CROSS JOIN LATERAL (
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches, CASE WHEN part = -1 THEN effective ELSE 0 END
        FROM rollups
        WHERE tenant = of_tenant AND size = piece.size AND bucket >= piece.since AND bucket < piece.until
        UNION ALL
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches, CASE WHEN shard = -1 THEN effective ELSE 0 END
        FROM rollups_minute
        WHERE piece.size = 'minute' AND tenant = of_tenant AND bucket >= piece.since AND bucket < piece.until
    ) AS r
$$;

-- corrected: what corrections changed of the amount. told: people were told of it; not of a threshold that was reached
-- from above, by a correction. A budget's threshold that is crossed again after a correction is another episode.
ALTER TABLE incidents
    ADD COLUMN corrected numeric NOT NULL DEFAULT 0 CHECK (corrected > '-Infinity' AND corrected < 'Infinity'),
    ADD COLUMN told boolean NOT NULL DEFAULT true,
    DROP CONSTRAINT incidents_check2,
    ADD CONSTRAINT incidents_episode CHECK (kind = 'budget' OR episode IS NOT NULL);
CREATE INDEX incidents_ended ON incidents (tenant, period_end) WHERE kind = 'budget' AND state = 'resolved';

-- migrate: rollback

DROP INDEX incidents_ended;
DELETE FROM deliveries d USING incidents i
WHERE d.tenant = i.tenant AND d.incident_id = i.id AND i.kind = 'budget' AND i.episode IS NOT NULL;
DELETE FROM incidents WHERE kind = 'budget' AND episode IS NOT NULL;
ALTER TABLE incidents DROP COLUMN corrected, DROP COLUMN told, DROP CONSTRAINT incidents_episode,
    ADD CONSTRAINT incidents_check2 CHECK ((kind IN ('anomaly', 'unbooked')) = (episode IS NOT NULL));
DROP FUNCTION spent(text, text[], timestamptz[], timestamptz[]);
CREATE FUNCTION spent(of_tenant text, sizes text[], since timestamptz[], until timestamptz[])
RETURNS TABLE (bucket timestamptz, series_id bytea, currency text, events bigint, unpriced_events bigint, list numeric,
    contracted numeric, effective numeric, of_which_provisional numeric, usage jsonb,
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric, cache_write_5m_tokens numeric,
    cache_write_1h_tokens numeric, reasoning_tokens numeric, embedding_tokens numeric, requests numeric,
    searches numeric)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT r.* FROM unnest(sizes, since, until) AS piece (size, since, until) CROSS JOIN LATERAL (
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches
        FROM rollups
        WHERE tenant = of_tenant AND size = piece.size AND bucket >= piece.since AND bucket < piece.until
        UNION ALL
        SELECT bucket, series_id, currency, events, unpriced_events, list, contracted, effective, of_which_provisional,
            usage, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens,
            reasoning_tokens, embedding_tokens, requests, searches
        FROM rollups_minute
        WHERE piece.size = 'minute' AND tenant = of_tenant AND bucket >= piece.since AND bucket < piece.until
    ) AS r
$$;
