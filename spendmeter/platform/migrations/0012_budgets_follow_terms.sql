-- Budgets follow a change of currency: what each is from an instant on, decided with the terms.
-- depends: 0011_sessions

-- migrate: apply

-- From next_from on it is next_amount in next_currency; null = it is closed then. terms_*: the publication that
-- decided so last, who approved it and when.
ALTER TABLE budgets
    ADD COLUMN next_from timestamptz,
    ADD COLUMN next_amount numeric CHECK (next_amount > 0 AND next_amount < 'Infinity'),
    ADD COLUMN next_currency text CHECK (next_currency ~ '^[A-Z]{3}$'),
    ADD COLUMN terms_version int,
    ADD COLUMN terms_by text,
    ADD COLUMN terms_at timestamptz,
    ADD CHECK ((next_amount IS NULL) = (next_currency IS NULL)),
    ADD CHECK (next_from IS NOT NULL OR next_amount IS NULL),
    ADD CHECK ((terms_version IS NULL) = (terms_by IS NULL) AND (terms_by IS NULL) = (terms_at IS NULL));

-- The budget as it is now.
CREATE FUNCTION budget_now(b budgets) RETURNS budgets
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF b.next_from <= now() THEN
        IF b.next_amount IS NULL THEN
            b.deleted_at := coalesce(b.deleted_at, b.next_from);
        ELSE
            b.amount := b.next_amount;
            b.currency := b.next_currency;
            b.revision := b.revision + 1;
            b.updated_at := greatest(b.updated_at, b.next_from);
        END IF;
        b.next_from := NULL;
        b.next_amount := NULL;
        b.next_currency := NULL;
    END IF;
    RETURN b;
END
$$;

-- migrate: rollback

DROP FUNCTION budget_now(budgets);
ALTER TABLE budgets DROP COLUMN terms_at, DROP COLUMN terms_by, DROP COLUMN terms_version,
    DROP COLUMN next_currency, DROP COLUMN next_amount, DROP COLUMN next_from;
