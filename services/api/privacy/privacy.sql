-- name: region
-- Where the tenant's usage may go; '' = anywhere.
SELECT region FROM tenants WHERE tenant = $1

-- name: people
-- How many people have a pseudonym, by month of receipt.
SELECT month, count(*) AS people FROM pseudonyms GROUP BY month ORDER BY month

-- name: month_keys
-- Under which a name is looked for, month by month.
SELECT month, secret FROM pseudonym_keys

-- name: erase
-- $1 = months, $2 = what one person is called in each: deleted, it is nobody's.
DELETE FROM pseudonyms p USING unnest($1::date[], $2::bytea[]) AS person (month, keyed_user)
WHERE p.month = person.month AND p.keyed_user = person.keyed_user RETURNING p.month

-- name: note_erasure
-- That somebody was forgotten, by whom and why: never who.
INSERT INTO erasures (tenant, pseudonyms, by, reason) VALUES ($1, $2, $3, $4) RETURNING number, at

-- name: erasures
-- The newest first.
SELECT number, pseudonyms, by, reason, at FROM erasures ORDER BY number DESC LIMIT 100

-- name: retention
-- What holds now; no row = what a tenant has that never said anything.
SELECT pseudonyms_months, by, reason, at FROM retention_acts ORDER BY number DESC LIMIT 1

-- name: retain
-- From now on pseudonyms are kept for so many months.
INSERT INTO retention_acts (tenant, pseudonyms_months, by, reason) VALUES ($1, $2, $3, $4)

-- name: forget_pseudonyms
-- $1 = the first month that is kept.
DELETE FROM pseudonyms WHERE month < $1

-- name: forget_keys
-- With its key a month's pseudonyms can be looked for; without, nobody can be.
DELETE FROM pseudonym_keys WHERE month < $1
