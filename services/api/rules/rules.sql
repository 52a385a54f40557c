-- name: in_force
-- What the tenant has made of the rules that everybody has, and its own.
SELECT rule_id, of, name, filter, settings, severity, enabled, removed, number, reason, by, at
FROM alert_rules_in_force ORDER BY number

-- name: hold
-- Until the transaction's end nobody else sets this tenant's.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1634497125))

-- name: act
-- All of one rule anew; what was set before stays in its row.
INSERT INTO alert_rules (tenant, rule_id, of, name, filter, settings, severity, enabled, removed, reason, by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- name: history
-- Every act on one rule, the newest first.
SELECT rule_id, of, name, filter, settings, severity, enabled, removed, number, reason, by, at
FROM alert_rules WHERE rule_id = $1 ORDER BY number DESC LIMIT $2

-- name: own_dimensions
-- What else a filter may name.
SELECT name FROM own_dimensions
