-- name: lock
-- Two migrators at once: the second waits, then finds nothing to do.
SELECT pg_advisory_lock($1)

-- name: create_database
-- On the maintenance database; {database} is filled in by migrate.py.
CREATE DATABASE "{database}"

-- name: make_minutes
-- As the ledger does once a minute: without a part for its day nothing is booked.
SELECT make_minutes((now() AT TIME ZONE 'UTC')::date + 7)
