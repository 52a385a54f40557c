-- How far what is folded is behind the book, former accounts and corrections too; no corrector folds by rules of before.
-- depends: 0080_readouts_changed

-- migrate: apply

-- Of each account of each partition how many offsets the projection that is farthest back has still to fold; -1 is the
-- corrector's. An account that is closed is one of before its topic was created anew.
CREATE FUNCTION behind_book(of_projections text[]) RETURNS TABLE (partition int, is_open boolean, behind bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    WITH book AS (
        SELECT partition, row_number() OVER (PARTITION BY partition ORDER BY ended_at) - 1 AS account, next_origin, ended_at
        FROM (
            SELECT partition, next_origin, 'infinity'::timestamptz AS ended_at FROM positions
            UNION ALL SELECT partition, next_origin, ended_at FROM closed_accounts
            UNION ALL SELECT -1, next_entry, 'infinity' FROM corrector
        ) AS accounts
    )
    SELECT b.partition, b.ended_at = 'infinity', max(greatest(0, b.next_origin - coalesce(m.next_offset, 0)))
    FROM book b CROSS JOIN unnest(of_projections) AS named (projection) LEFT JOIN projection_marks m
        ON (m.projection, m.partition, m.account) = (named.projection, b.partition, b.account)
    GROUP BY b.partition, b.account, b.ended_at
$$;

-- A corrector of before 0076 counts rows of bills as calls of workflows. Whoever folds says by which rules; one of before
-- says nothing. The owner may set a mark.
CREATE FUNCTION refuse_old_corrector() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(nullif(current_setting('app.fold_rules', true), ''), '0')::int < 1 THEN
        RAISE EXCEPTION 'this corrector is older than the schema: it would fold the book by rules of before'
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'Start the corrector of the release that migrated.';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER refuse_old_corrector AFTER UPDATE ON projection_marks
    FOR EACH STATEMENT WHEN (current_user = current_database() || '_corrector')
    EXECUTE FUNCTION refuse_old_corrector();

-- migrate: rollback

DROP TRIGGER refuse_old_corrector ON projection_marks;
DROP FUNCTION refuse_old_corrector();
DROP FUNCTION behind_book(text[]);
