-- Catalog administration: api records what it may and no more, proposals, and what a change of price concerns.
-- depends: 0004_api

-- migrate: apply

-- As the price book compares names; '' = an entry that is about no one sku.
ALTER TABLE catalog_entries
    ADD COLUMN provider text NOT NULL GENERATED ALWAYS AS (coalesce(lower(body::jsonb ->> 'provider'), '')) STORED,
    ADD COLUMN sku text NOT NULL GENERATED ALWAYS AS (coalesce(lower(body::jsonb ->> 'sku'), '')) STORED;
CREATE INDEX catalog_entries_sku ON catalog_entries (provider, sku);
CREATE INDEX catalog_entries_withdrawals ON catalog_entries (version)
    WHERE type = 'spendmeter.catalog.withdrawal.v1';

-- tenant '*' = proposed by an operator who acts for no tenant. `entries` is a JSON array, as read from the
-- file; `review` is the diff, the findings and the money at the time of proposing, and of approval.
CREATE TABLE catalog_proposals (
    id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    tenant text NOT NULL,
    name text NOT NULL,
    note text NOT NULL,
    entries text NOT NULL,
    review jsonb NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'approved', 'rejected')),
    decided_by text,
    decided_at timestamptz,
    reason text NOT NULL DEFAULT '',
    version int,
    CHECK ((state = 'open') = (decided_by IS NULL) AND (state = 'approved') = (version IS NOT NULL))
);
CREATE INDEX catalog_proposals_tenant ON catalog_proposals (tenant, id);

-- The entries after publication `since`, for the topic and for api's own price book.
DROP FUNCTION catalog_to_publish();
CREATE FUNCTION catalog_to_publish(since int)
RETURNS TABLE (id text, body text, version int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.id, c.body, c.version FROM catalog_entries c WHERE c.version > since ORDER BY c.version, c.id
$$;

-- One version at a time: two recorders at once would count each other's entries. Held until the end of the
-- transaction.
CREATE FUNCTION catalog_next() RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(212312329);
    RETURN (SELECT coalesce(max(version), 0) + 1 FROM catalog_publications);
END
$$;

-- Every entry's id, who recorded it, and who withdrew it: what a recorder must know, and no price.
CREATE FUNCTION catalog_standing()
RETURNS TABLE (id text, type text, recorded_by text, withdrawn_by text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.id, c.type, c.recorded_by, coalesce(gone.by, '{}')
    FROM catalog_entries c LEFT JOIN (
        SELECT named.id, array_agg(w.recorded_by) AS by
        FROM catalog_entries w, jsonb_array_elements_text(w.body::jsonb -> 'entries') AS named (id)
        WHERE w.type = 'spendmeter.catalog.withdrawal.v1' GROUP BY 1
    ) AS gone USING (id)
$$;

-- Entries and their publication, at once. A tenant's key records what is its tenant's alone, whatever api asks.
CREATE FUNCTION catalog_record(new_version int, bodies text[], by text, why text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    acting text := coalesce(current_setting('app.tenant', true), '');
BEGIN
    IF new_version <> catalog_next() THEN
        RAISE 'publication % is not the next one', new_version;
    END IF;
    INSERT INTO catalog_entries (id, tenant, type, body, version, recorded_by)
    SELECT b::jsonb ->> 'id', coalesce(b::jsonb ->> 'tenant', ''), b::jsonb ->> 'type', b, new_version, by
    FROM unnest(bodies) AS b;
    IF session_user <> current_user AND acting <> '*' AND EXISTS (
        SELECT FROM catalog_entries c WHERE c.version = new_version AND (c.tenant <> acting OR c.tenant = '')
    ) THEN
        RAISE insufficient_privilege USING MESSAGE = format('an entry is not of tenant %L', acting);
    END IF;
    INSERT INTO catalog_publications (version, entries, note)
    SELECT new_version, count(*), why FROM catalog_entries;
END
$$;

-- What follows is of the transaction's tenant, and of every tenant for '*', an operator who chose none.

-- Who has ever used what, by the names that were sent.
CREATE FUNCTION catalog_used() RETURNS TABLE (tenant text, provider text, sku text, series bytea[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT s.tenant, s.provider, s.sku, array_agg(s.series_id) FROM series s
    WHERE current_setting('app.tenant', true) IN ('*', s.tenant) GROUP BY 1, 2, 3
$$;

-- Booked events of these series in [since, until), newest first.
CREATE FUNCTION catalog_events(of_series bytea[], since timestamptz, until timestamptz, events_max int)
RETURNS TABLE (occurred_at timestamptz, event text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT e.occurred_at, e.event FROM entries e
    WHERE e.occurred_at >= since AND e.occurred_at < until AND e.series_id = ANY (of_series) AND e.seq = 0
        AND current_setting('app.tenant', true) IN ('*', e.tenant)
    ORDER BY e.occurred_at DESC LIMIT events_max
$$;

-- How many there are, from the rollups.
CREATE FUNCTION catalog_events_count(of_tenants text[], of_series bytea[], since timestamptz) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT coalesce(sum(r.events), 0)::bigint FROM rollups_minute r
    WHERE r.tenant = ANY (of_tenants) AND r.bucket >= since AND r.series_id = ANY (of_series)
        AND current_setting('app.tenant', true) IN ('*', r.tenant)
$$;

-- Usage that was booked without a price, or at a bound. The index holds such rows alone.
CREATE INDEX rollups_minute_unknown ON rollups_minute (tenant, bucket)
    WHERE of_which_provisional > 0 OR unpriced_events > 0;
-- `samples`: some of the last events without any price, for a rollup does not know units that no catalog does.
CREATE FUNCTION catalog_unknown(since timestamptz)
RETURNS TABLE (tenant text, provider text, sku text, currency text, first_seen timestamptz, last_seen timestamptz,
    events bigint, unpriced_events bigint, provisional numeric, usage jsonb, samples text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT u.*, CASE WHEN u.unpriced_events > 0 THEN ARRAY(
        SELECT e.event FROM entries e JOIN series s USING (tenant, series_id)
        WHERE e.occurred_at >= u.last_seen AND e.occurred_at < u.last_seen + interval '1 minute'
            AND e.status = 'unpriced' AND (e.tenant, s.provider, s.sku) = (u.tenant, u.provider, u.sku)
        ORDER BY e.occurred_at DESC LIMIT 3
    ) ELSE '{}' END
    FROM (
        SELECT r.tenant, s.provider, s.sku, r.currency, min(greatest(r.bucket, s.first_seen)), max(r.bucket),
            sum(r.events)::bigint, sum(r.unpriced_events)::bigint, sum(r.of_which_provisional),
            usage_total(r.usage)
        FROM rollups_minute r JOIN series s USING (tenant, series_id)
        WHERE (r.of_which_provisional > 0 OR r.unpriced_events > 0) AND r.bucket >= since
            AND current_setting('app.tenant', true) IN ('*', r.tenant)
        GROUP BY 1, 2, 3, 4
    ) AS u (tenant, provider, sku, currency, first_seen, last_seen, events, unpriced_events, provisional, usage)
$$;

-- An event of units that no catalog knows adds an empty map to the rollups, and two of them sum to one.
CREATE OR REPLACE FUNCTION usage_sum(a jsonb, b jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(unit, quantity), '{}') FROM (
        SELECT key AS unit, sum(value::text::numeric) AS quantity
        FROM (SELECT * FROM jsonb_each(a) UNION ALL SELECT * FROM jsonb_each(b)) AS both_maps
        GROUP BY key
    ) AS summed
$$;

-- migrate: rollback

DROP FUNCTION catalog_unknown(timestamptz), catalog_events_count(text[], bytea[], timestamptz),
    catalog_events(bytea[], timestamptz, timestamptz, int), catalog_used(),
    catalog_record(int, text[], text, text), catalog_standing(), catalog_next(), catalog_to_publish(int);
DROP INDEX rollups_minute_unknown;
DROP TABLE catalog_proposals;
DROP INDEX catalog_entries_withdrawals;
ALTER TABLE catalog_entries DROP COLUMN sku, DROP COLUMN provider;
CREATE FUNCTION catalog_to_publish()
RETURNS TABLE (id text, body text, version int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT c.id, c.body, c.version FROM catalog_entries c ORDER BY c.version, c.id
$$;
