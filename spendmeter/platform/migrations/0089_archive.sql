-- Months of the book that are put away, and identities of which no copy can come any more.
-- depends: 0088_by_month

-- migrate: apply

-- Where a month's entries lie that is no longer part of `entries`: `spendmeter archive` writes it, and nobody else. A month
-- that has a row and is part of `entries` all the same is on its way out, or back.
CREATE TABLE archived_months (
    month date PRIMARY KEY CHECK (extract(day FROM month) = 1),
    entries bigint NOT NULL,
    file text NOT NULL,
    sha256 text NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT now()
);

-- In which archived month an event or a true-up was first recorded; null = in none.
CREATE FUNCTION archived_month(wanted bytea) RETURNS date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT a.month FROM (
        SELECT i.recorded_on FROM identities i WHERE i.identity = wanted
        UNION ALL SELECT (t.recorded_at AT TIME ZONE 'UTC')::date FROM true_ups t WHERE t.identity = wanted
    ) AS first JOIN archived_months a ON a.month = date_trunc('month', first.recorded_on)::date
    WHERE a.month NOT IN (SELECT m FROM entries_months() AS m)
$$;

-- What is claimed lies in the order of time, so a few bytes for each stretch say where the oldest are.
CREATE INDEX identities_claimed_on ON identities USING brin (claimed_on) WITH (autosummarize = on);

-- Forgets up to so many identities that were claimed over 431 days ago; how many. The door takes no event that is older
-- than 400 days, so no copy of theirs; 31 more are for what has waited on Kafka.
CREATE FUNCTION forget_identities(rows_max int) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH old AS MATERIALIZED (
        SELECT identity FROM identities WHERE claimed_on < (now() AT TIME ZONE 'UTC')::date - 431
        LIMIT least(rows_max, 10000)
    ), gone AS (
        DELETE FROM identities i USING old WHERE i.identity = old.identity RETURNING 1
    )
    SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION archived_month(bytea), forget_identities(int) FROM PUBLIC;

-- migrate: rollback

DO $$ BEGIN
    IF EXISTS (SELECT FROM archived_months) THEN
        RAISE EXCEPTION 'months are archived: attach them first, or who reads would not know that they are missing';
    END IF;
END $$;
DROP FUNCTION forget_identities(int), archived_month(bytea);
DROP INDEX identities_claimed_on;
DROP TABLE archived_months;
