-- Run as the owner, at every migrate. {names} in braces are filled in by audited.py: identifiers are no parameters.

-- name: tables
-- Every table with its columns: all, those that tell its rows of a tenant apart, those of bytes, those of amounts.
SELECT c.relname AS table_name, array_agg(a.attname::text) AS columns,
    coalesce(array_agg(a.attname::text ORDER BY array_position(k.conkey, a.attnum))
        FILTER (WHERE a.attnum = ANY (k.conkey) AND (a.attname <> 'tenant' OR cardinality(k.conkey) = 1)), '{}') AS own_key,
    coalesce(array_agg(a.attname::text) FILTER (WHERE a.atttypid = 'bytea'::regtype), '{}') AS bytes,
    coalesce(array_agg(a.attname::text) FILTER (WHERE a.atttypid = 'numeric'::regtype), '{}') AS amounts
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
GROUP BY c.relname ORDER BY c.relname

-- name: audit
-- After each row that is changed, in the transaction that changes it.
CREATE OR REPLACE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION audit_change({arguments})

-- name: leave
-- What is not audited.
DROP TRIGGER IF EXISTS audit ON {table}

-- name: act_as
-- For the rest of the transaction: a connection may be another's after it.
SELECT set_config('app.actor', $1, true)
