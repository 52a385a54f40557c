-- Budgets of years, stated days and last hours, and of every value; people's months; whose rules have changed.
-- depends: 0048_complete

-- migrate: apply

-- custom: [starts_on, ends_on), days of the tenant's. rolling: the last_hours hours, with the one that runs; what left the
-- window leaves room again, so it can neither refuse nor be forecast. each: '' = one budget, else one of this amount for
-- every value of this dimension. A user's name is another one in each month of UTC, so is his budget.
ALTER TABLE budgets
    DROP CONSTRAINT budgets_period_check,
    ADD CONSTRAINT budgets_period_check
        CHECK (period IN ('day', 'week', 'month', 'quarter', 'year', 'custom', 'rolling')),
    ADD COLUMN starts_on date,
    ADD COLUMN ends_on date,
    ADD COLUMN last_hours int,
    ADD COLUMN each text NOT NULL DEFAULT '' CHECK (each ~ '^([a-z][a-z0-9_]{1,31})?$'),
    ADD CONSTRAINT budgets_custom CHECK (
        num_nonnulls(starts_on, ends_on) = CASE period WHEN 'custom' THEN 2 ELSE 0 END
        AND ends_on > starts_on AND ends_on - starts_on <= 1098
    ),
    ADD CONSTRAINT budgets_rolling CHECK ((period = 'rolling') = (last_hours IS NOT NULL) AND last_hours BETWEEN 2 AND 744),
    ADD CONSTRAINT budgets_rolling_has_no_end
        CHECK (period <> 'rolling' OR NOT hard AND forecast_thresholds_percent = '{}'),
    ADD CONSTRAINT budgets_each CHECK (
        each = '' OR NOT hard AND forecast_thresholds_percent = '{}' AND period <> 'rolling' AND NOT filter ? each
    ),
    ADD CONSTRAINT budgets_of_users CHECK (each <> 'user' OR period = 'month' AND filter = '{}');

-- What each person's events came to in each month of UTC, by the pseudonym of that month; a projection. Events without
-- a user are not here. Corrections subtract, so a row may come to nothing and stays.
CREATE TABLE user_months (
    tenant text NOT NULL,
    month date NOT NULL,
    "user" text NOT NULL CHECK ("user" <> ''),
    currency text NOT NULL,
    events bigint NOT NULL,
    effective numeric NOT NULL,
    of_which_provisional numeric NOT NULL,
    PRIMARY KEY (tenant, month, "user", currency)
) WITH (fillfactor = 70);

-- How often what a tenant is watched by has changed: whoever has read its rules reads them again when this is another
-- number. Counted by whoever changes something, in the same transaction: neither a clock nor who commits first decides.
CREATE TABLE rule_changes (
    tenant text PRIMARY KEY,
    changes bigint NOT NULL DEFAULT 1
) WITH (fillfactor = 20);
INSERT INTO rule_changes (tenant) SELECT tenant FROM tenants;

CREATE FUNCTION count_rule_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO rule_changes AS r (tenant) VALUES (CASE TG_OP WHEN 'DELETE' THEN OLD.tenant ELSE NEW.tenant END)
    ON CONFLICT (tenant) DO UPDATE SET changes = r.changes + 1;
    RETURN NULL;
END
$$;

CREATE TRIGGER count_rule_change AFTER INSERT OR UPDATE OR DELETE ON tenants
    FOR EACH ROW EXECUTE FUNCTION count_rule_change();
CREATE TRIGGER count_rule_change AFTER INSERT OR UPDATE OR DELETE ON tenant_terms
    FOR EACH ROW EXECUTE FUNCTION count_rule_change();
CREATE TRIGGER count_rule_change AFTER INSERT OR UPDATE OR DELETE ON dimension_acts
    FOR EACH ROW EXECUTE FUNCTION count_rule_change();
CREATE TRIGGER count_rule_change AFTER INSERT OR UPDATE OR DELETE ON alert_rules
    FOR EACH ROW EXECUTE FUNCTION count_rule_change();
CREATE TRIGGER count_rule_change AFTER INSERT OR UPDATE OR DELETE ON budgets
    FOR EACH ROW EXECUTE FUNCTION count_rule_change();

-- migrate: rollback

DROP TRIGGER count_rule_change ON budgets;
DROP TRIGGER count_rule_change ON alert_rules;
DROP TRIGGER count_rule_change ON dimension_acts;
DROP TRIGGER count_rule_change ON tenant_terms;
DROP TRIGGER count_rule_change ON tenants;
DROP FUNCTION count_rule_change();
DROP TABLE rule_changes, user_months;
DELETE FROM projection_marks WHERE projection = 'user_months';
DELETE FROM budgets WHERE period IN ('year', 'custom', 'rolling') OR each <> '';
ALTER TABLE budgets
    DROP CONSTRAINT budgets_period_check,
    ADD CONSTRAINT budgets_period_check CHECK (period IN ('day', 'week', 'month', 'quarter')),
    DROP COLUMN starts_on, DROP COLUMN ends_on, DROP COLUMN last_hours, DROP COLUMN each;
