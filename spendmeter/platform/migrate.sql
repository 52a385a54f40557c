-- name: lock
-- Two migrators at once: the second waits, then finds nothing to do.
SELECT pg_advisory_lock($1)

-- name: create_database
-- On the maintenance database; {database} is filled in by migrate.py.
CREATE DATABASE "{database}"

-- name: make_minutes
-- As the ledger does once a minute: without a part for its day nothing is booked.
SELECT make_minutes((now() AT TIME ZONE 'UTC')::date + 7)

-- name: make_months
-- As the ledger does once a day: without a part for its month nothing is booked.
SELECT make_months((now() AT TIME ZONE 'UTC')::date + 366)

-- name: register_units
-- For who adds entries up in the database: what is a unit, and since when.
INSERT INTO registered_units (unit, since) SELECT * FROM unnest($1::text[], $2::timestamptz[])
ON CONFLICT (unit) DO UPDATE SET since = excluded.since
