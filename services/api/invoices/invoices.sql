-- part: columns
-- An import as it is answered; superseded: later ones of the same account speak of each of its days.
i.import_id, i.provider, i.account, i.file_name AS file, i.author, i.imported_at, i.first_day, i.last_day, i.row_count AS rows,
    i.amounts, i.notes,
    NOT EXISTS (
        SELECT FROM invoice_days d WHERE d.import_id = i.import_id AND NOT EXISTS (
            SELECT FROM invoice_days n JOIN invoice_imports l USING (import_id)
            WHERE l.provider = i.provider AND l.account = i.account AND n.day = d.day AND n.kind = d.kind
                AND (l.imported_at, l.import_id) > (i.imported_at, i.import_id)
        )
    ) AS superseded

-- name: hold
-- Until the transaction's end nobody imports a bill of this tenant.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1718580084))

-- name: same
-- An import of this account of the same content, all of which is in force.
SELECT i.import_id FROM invoice_imports i
WHERE i.provider = $1 AND i.account = $2 AND i.digest = $3 AND NOT EXISTS (
    SELECT FROM invoice_days d
    JOIN invoice_days n ON n.day = d.day AND n.kind = d.kind
    JOIN invoice_imports l ON l.import_id = n.import_id
    WHERE d.import_id = i.import_id AND l.provider = i.provider AND l.account = i.account
        AND (l.imported_at, l.import_id) > (i.imported_at, i.import_id)
) LIMIT 1

-- name: add
INSERT INTO invoice_imports (
    tenant, import_id, provider, account, digest, file_name, author, imported_at, first_day, last_day, row_count, amounts, notes
) VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), $8, $9, $10, $11, $12)

-- name: add_days
INSERT INTO invoice_days (tenant, import_id, day, kind) SELECT $1, $2, d, k FROM unnest($3::date[], $4::text[]) AS t (d, k)

-- name: add_rows
INSERT INTO invoice_rows (
    tenant, import_id, number, day, kind, model, unit, tier, context, region, currency, quantity, amount, listed, tolerance
)
SELECT $1, $2, t.* FROM unnest(
    $3::int[], $4::date[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
    $12::numeric[], $13::numeric[], $14::numeric[], $15::numeric[]
) AS t

-- name: import
SELECT {columns} FROM invoice_imports i WHERE i.import_id = $1

-- name: imports
-- Newest first, after ($1, $2).
SELECT {columns} FROM invoice_imports i WHERE (i.imported_at, i.import_id) < ($1, $2)
ORDER BY i.imported_at DESC, i.import_id DESC LIMIT $3

-- part: in_force
-- Of each day and kind, in each account of the provider $1 (in $4 alone, where that is not null), the newest import.
SELECT DISTINCT ON (i.account, d.kind, d.day) d.import_id, d.kind, d.day, i.account, i.imported_at
FROM invoice_days d JOIN invoice_imports i USING (import_id)
WHERE i.provider = $1 AND d.day >= $2 AND d.day < $3 AND ($4::text IS NULL OR i.account = $4)
ORDER BY i.account, d.kind, d.day, i.imported_at DESC, i.import_id DESC

-- name: days
-- What bills in force speak of.
SELECT day, kind, account, imported_at FROM ({in_force}) AS f

-- name: notes
-- What was said of them when they came in: at most {notes_max}.
SELECT DISTINCT jsonb_array_elements_text(i.notes) AS note
FROM invoice_imports i WHERE i.import_id IN (SELECT import_id FROM ({in_force}) AS f)
ORDER BY note LIMIT {notes_max}

-- name: billed
-- What they say: at most {rows_max} rows.
SELECT f.account, r.day, r.kind, r.model, r.unit, r.tier, r.context, r.region, r.currency, r.quantity, r.amount, r.listed, r.tolerance
FROM invoice_rows r JOIN ({in_force}) AS f USING (import_id, kind, day)
LIMIT {rows_max}

-- name: sellers
-- By what names of providers there are series.
SELECT DISTINCT provider FROM series

-- name: booked
-- What was booked of the providers $3, by all that bills tell apart, as contracted and as priced: at most {rows_max} rows. A
-- row of a bill that was imported as a charge ({charge}) is the bill itself; what accrues, by the key $4 (seats, commitments), was
-- bought and not metered.
SELECT c.day, s.provider, s.sku, c.unit, c.tier, c.region, c.batch, c.status, c.entry, c.reason, c.priced_in, c.contracted_in,
    sum(c.quantity) AS quantity, sum(c.list_priced) AS listed, sum(c.contracted_priced) AS contracted
FROM cells c
JOIN series s USING (series_id)
WHERE c.day >= $1 AND c.day < $2 AND s.provider = ANY ($3) AND s.key_id <> $4 AND c.unit <> '{charge}'
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
HAVING sum(c.quantity) <> 0 OR sum(c.list_priced) <> 0 OR sum(c.contracted_priced) <> 0
LIMIT {rows_max}
