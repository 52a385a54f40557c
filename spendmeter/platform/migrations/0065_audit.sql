-- Who changed what, and when: a row for every row that people change, written by the database itself.
-- depends: 0060_quality_hours 0070_allocation_plans

-- migrate: apply

-- Rows are numbered as they are written; a transaction that commits later may have lower ones. tenant '*' = everybody's:
-- what operators change for all. by: a key, a service, or a role of the database. was and became: of a change only what
-- differs; amounts as text, a long value cut (audit_shown). withheld: columns that were changed and whose values are kept
-- nowhere but in their own row. object_id: what tells one row from the tenant's others.
CREATE TABLE audit_log (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    by text NOT NULL CHECK (by <> ''),
    object text NOT NULL,
    object_id text NOT NULL,
    act text NOT NULL CHECK (act IN ('made', 'changed', 'removed')),
    was jsonb,
    became jsonb,
    withheld text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_tenant ON audit_log (tenant, at, number);
CREATE INDEX audit_log_object ON audit_log (tenant, object, object_id, at, number);
CREATE INDEX audit_log_by ON audit_log (tenant, by, at, number);

-- What is kept of these columns of a row: amounts as text, so that no reader rounds them, and of a value longer than 1,000
-- characters its beginning, its length and a hash, by which a copy can be known again.
CREATE FUNCTION audit_shown(row_values jsonb, columns text[], amounts text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(key, CASE
        WHEN length(value #>> '{}') > 1000 THEN to_jsonb(format('%s... (%s characters, sha256 %s)',
            left(value #>> '{}', 1000), length(value #>> '{}'),
            encode(sha256(convert_to(value #>> '{}', 'UTF8')), 'hex')))
        WHEN key = ANY (amounts) THEN to_jsonb(value #>> '{}')
        ELSE value END)
    FROM jsonb_each(row_values) WHERE key = ANY (columns)
$$;

-- A row of audit_log for a row that was changed. Its arguments are lists of columns, which `migrate` makes out of
-- contracts/audited.toml and the table: those of its key, those whose values are withheld, those that move by themselves
-- (a change of them alone is none), and amounts. It is the owner's, so that no service can write what it likes. api says
-- for each transaction for whom it works; what it forgets to say it cannot do.
CREATE FUNCTION audit_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    own_key text[] := TG_ARGV[0];
    hidden text[] := TG_ARGV[1];
    moving text[] := TG_ARGV[2];
    amounts text[] := TG_ARGV[3];
    was jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
    became jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
    kept jsonb := coalesce(became, was);
    role text := replace(session_user, current_database() || '_', '');
    actor text := nullif(current_setting('app.actor', true), '');
    differing text[];
BEGIN
    SELECT coalesce(array_agg(key), '{}') INTO differing FROM jsonb_object_keys(kept) AS key
    WHERE was -> key IS DISTINCT FROM became -> key AND key <> ALL (moving)
        AND (TG_OP = 'UPDATE' OR kept -> key <> 'null');
    IF TG_OP = 'UPDATE' AND differing = '{}' THEN
        RETURN NULL;
    END IF;
    IF actor IS NULL AND role = 'api' THEN
        RAISE insufficient_privilege USING MESSAGE = format('a change of %s says by whom: app.actor is not set', TG_TABLE_NAME);
    END IF;
    INSERT INTO audit_log (tenant, by, object, object_id, act, was, became, withheld) VALUES (
        coalesce(nullif(kept ->> 'tenant', ''), '*'),
        coalesce(actor, CASE role WHEN session_user THEN 'database ' ELSE 'service ' END || role),
        TG_TABLE_NAME,
        (SELECT coalesce(string_agg(kept ->> name, ' ' ORDER BY place), '')
         FROM unnest(own_key) WITH ORDINALITY AS named (name, place)),
        CASE TG_OP WHEN 'INSERT' THEN 'made' WHEN 'UPDATE' THEN 'changed' ELSE 'removed' END,
        audit_shown(was, ARRAY(SELECT unnest(differing) EXCEPT SELECT unnest(hidden)), amounts),
        audit_shown(became, ARRAY(SELECT unnest(differing) EXCEPT SELECT unnest(hidden)), amounts),
        ARRAY(SELECT unnest(differing) INTERSECT SELECT unnest(hidden) ORDER BY 1)
    );
    RETURN NULL;
END
$$;

-- migrate: rollback

DROP FUNCTION audit_change() CASCADE;
DROP FUNCTION audit_shown(jsonb, text[], text[]);
DROP TABLE audit_log;
