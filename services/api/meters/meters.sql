-- name: in_force
-- What the last act of a tenant says.
SELECT number, meters, reason, by, at FROM meters_in_force WHERE tenant = $1

-- name: hold
-- Until the transaction's end nobody else sets this tenant's.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1835361394))

-- name: act
-- All of it anew; what was set before stays in its row.
INSERT INTO meters (tenant, meters, reason, by) VALUES ($1, $2, $3, $4)
