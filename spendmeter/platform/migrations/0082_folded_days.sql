-- How often each day of cells and of how calls went has changed: what was added up of it holds until then; an index of agents' runs.
-- depends: 0075_model_days 0081_behind_book

-- migrate: apply

CREATE TABLE folded_days (
    tenant text NOT NULL,
    projection text NOT NULL,
    day date NOT NULL,
    generation bigint NOT NULL,
    PRIMARY KEY (tenant, projection, day)
) WITH (fillfactor = 50);

-- Whatever a statement did, whoever wrote it, is counted in its transaction; $1 of the trigger: the day of a row.
CREATE FUNCTION count_folded_days() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format($count$
        INSERT INTO folded_days AS f
        SELECT DISTINCT tenant, %L, %s, 1 FROM (%s) AS c ORDER BY 1, 3
        ON CONFLICT (tenant, projection, day) DO UPDATE SET generation = f.generation + 1
    $count$, TG_TABLE_NAME, TG_ARGV[0], rows_changed(TG_OP));
    RETURN NULL;
END
$$;

-- A number that was there before must not come back.
CREATE FUNCTION count_all_folded_days() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE folded_days SET generation = generation + 1 WHERE projection = TG_TABLE_NAME;
    RETURN NULL;
END
$$;

CREATE TRIGGER count_inserted AFTER INSERT ON cells REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION count_folded_days('day');
CREATE TRIGGER count_updated AFTER UPDATE ON cells REFERENCING OLD TABLE AS found NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION count_folded_days('day');
CREATE TRIGGER count_deleted AFTER DELETE ON cells REFERENCING OLD TABLE AS found
    FOR EACH STATEMENT EXECUTE FUNCTION count_folded_days('day');
CREATE TRIGGER count_truncated AFTER TRUNCATE ON cells FOR EACH STATEMENT EXECUTE FUNCTION count_all_folded_days();
CREATE TRIGGER count_inserted AFTER INSERT ON quality_hours REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION count_folded_days('(hour AT TIME ZONE ''UTC'')::date');
CREATE TRIGGER count_updated AFTER UPDATE ON quality_hours REFERENCING OLD TABLE AS found NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION count_folded_days('(hour AT TIME ZONE ''UTC'')::date');
CREATE TRIGGER count_deleted AFTER DELETE ON quality_hours REFERENCING OLD TABLE AS found
    FOR EACH STATEMENT EXECUTE FUNCTION count_folded_days('(hour AT TIME ZONE ''UTC'')::date');
CREATE TRIGGER count_truncated AFTER TRUNCATE ON quality_hours
    FOR EACH STATEMENT EXECUTE FUNCTION count_all_folded_days();

INSERT INTO folded_days SELECT DISTINCT tenant, 'cells', day, 1 FROM cells;
INSERT INTO folded_days SELECT DISTINCT tenant, 'quality_hours', (hour AT TIME ZONE 'UTC')::date, 1 FROM quality_hours;
-- Sessions of coding agents are few among all runs of their days.
CREATE INDEX runs_of_agents ON runs (tenant, agent, last_at) WHERE agent <> '';

-- migrate: rollback

DROP INDEX runs_of_agents;
DROP TRIGGER count_inserted ON cells;
DROP TRIGGER count_updated ON cells;
DROP TRIGGER count_deleted ON cells;
DROP TRIGGER count_truncated ON cells;
DROP TRIGGER count_inserted ON quality_hours;
DROP TRIGGER count_updated ON quality_hours;
DROP TRIGGER count_deleted ON quality_hours;
DROP TRIGGER count_truncated ON quality_hours;
DROP FUNCTION count_folded_days(), count_all_folded_days();
DROP TABLE folded_days;
