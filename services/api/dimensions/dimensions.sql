-- name: list
-- What a tenant calls dimensions of its own, as the last act of each says.
SELECT name, active, reason, by, at FROM own_dimensions ORDER BY name

-- name: act
-- A name is declared or retired; the tenant is the transaction's.
INSERT INTO dimension_acts (tenant, name, act, reason, by) VALUES ($1, $2, $3, $4, $5)

-- name: hold
-- Until the transaction's end nobody declares or retires anything of this tenant: its bounds hold.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1684630885))
