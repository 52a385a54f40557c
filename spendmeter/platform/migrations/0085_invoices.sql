-- What providers say that they charged for, to be held against the book: nothing of it is booked.
-- depends: 0075_model_days

-- migrate: apply

-- A file as it came in. digest: of its content, so that the same one again changes nothing; of a day of one account the
-- newest import is in force, and older ones stay. amounts: sums by kind and currency.
CREATE TABLE invoice_imports (
    tenant text NOT NULL,
    import_id uuid NOT NULL,
    provider text NOT NULL CHECK (provider <> ''),
    account text NOT NULL CHECK (length(account) <= 128),
    digest bytea NOT NULL,
    file_name text NOT NULL CHECK (length(file_name) <= 200),
    author text NOT NULL,
    imported_at timestamptz NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL CHECK (last_day >= first_day),
    row_count int NOT NULL,
    amounts jsonb NOT NULL,
    notes jsonb NOT NULL,
    PRIMARY KEY (tenant, import_id)
);
CREATE INDEX invoice_imports_digest ON invoice_imports (tenant, digest);

-- Of which days an import speaks: a day without a row was billed at nothing.
CREATE TABLE invoice_days (
    tenant text NOT NULL,
    import_id uuid NOT NULL,
    day date NOT NULL,
    kind text NOT NULL CHECK (kind IN ('cost', 'total', 'usage')),
    PRIMARY KEY (tenant, import_id, day, kind)
);
CREATE INDEX invoice_days_by_day ON invoice_days (tenant, day);

-- Its lines, those that are alike as one. Of tier, context and region NULL = the bill tells none apart; of quantity, amount and
-- listed = it does not say. tolerance: how far the amount may be off by the digits that it is written in.
CREATE TABLE invoice_rows (
    tenant text NOT NULL,
    import_id uuid NOT NULL,
    number int NOT NULL,
    day date NOT NULL,
    kind text NOT NULL,
    model text NOT NULL,
    unit text NOT NULL,
    tier text,
    context text,
    region text,
    currency text NOT NULL,
    quantity numeric,
    amount numeric,
    listed numeric,
    tolerance numeric NOT NULL,
    PRIMARY KEY (tenant, import_id, number)
);

-- migrate: rollback

DROP TABLE invoice_rows, invoice_days, invoice_imports;
