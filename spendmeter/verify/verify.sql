-- name: positions
-- How far each partition of the book has come, and what it counted on the way.
SELECT * FROM positions

-- name: entries
-- Every booked row, streamed.
SELECT identity, seq, occurred_at, recorded_at, origin_partition, origin_offset, tenant, series_id, status,
    currency, list, contracted, effective, event, lines FROM entries

-- name: unbooked
-- Every offset that was set aside, streamed.
SELECT origin_topic, origin_partition, origin_offset, outcome, tenant, identity, source, event_id FROM unbooked

-- name: identities
-- Claims without the entry that they stand for.
SELECT i.identity, i.occurred_at, i.origin_partition, i.origin_offset FROM identities i
WHERE NOT EXISTS (SELECT FROM entries e WHERE e.identity = i.identity AND e.occurred_at = i.occurred_at)

-- name: unclaimed
-- Entries whose identity nobody claimed: the next copy would be booked again.
SELECT e.identity, e.occurred_at, e.origin_partition, e.origin_offset FROM entries e
WHERE NOT EXISTS (SELECT FROM identities i WHERE i.identity = e.identity AND i.occurred_at = e.occurred_at)

-- name: series
-- What each series stands for.
SELECT tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, workflow_version, agent,
    environment, key_id FROM series

-- name: sums
-- The ledger's money by tenant, model and hour, added up by Postgres.
SELECT e.tenant, s.provider, s.sku, date_trunc('hour', e.occurred_at, 'UTC') AS hour, e.currency,
    sum(e.list) AS list
FROM entries e JOIN series s USING (tenant, series_id) GROUP BY 1, 2, 3, 4, 5

-- name: rollups
-- Every rollup row, streamed.
SELECT tenant, bucket, series_id, shard, recorded_on, currency, events, unpriced_events, list, contracted,
    effective, of_which_provisional, usage FROM rollups_minute

-- name: accounting
-- The counts by tenant that the book keeps beside the rows.
SELECT * FROM accounting

-- name: stopped
-- Lines that stand still, and why.
SELECT partition, stopped FROM log_ends WHERE stopped <> ''

-- name: service_roles
-- The services' roles, and whoever else is connected but for the owner of the book and this program.
SELECT r.oid, r.rolname, r.rolsuper, r.rolbypassrls,
    pg_has_role(r.oid, c.relowner, 'MEMBER') AS owns
FROM pg_roles r, pg_class c
WHERE c.oid = 'public.entries'::regclass AND (
    r.rolname LIKE replace(current_database(), '_', '\_') || '\_%'
    OR r.oid IN (SELECT usesysid FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'spendmeter-%'))

-- name: privileges
-- What each role may do with each table, by the catalogue; a column's privilege counts as the table's.
SELECT t.relname AS table, p.privilege
FROM pg_class t CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS p (privilege)
WHERE t.relnamespace = 'public'::regnamespace AND t.relkind IN ('r', 'p', 'v', 'm') AND (
    has_table_privilege($1::oid, t.oid, p.privilege)
    OR CASE WHEN p.privilege IN ('SELECT', 'INSERT', 'UPDATE')
        THEN has_any_column_privilege($1::oid, t.oid, p.privilege) END)

-- name: unprotected
-- Tables with a tenant whose rows are not protected, from their owner too.
SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant'
    AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
