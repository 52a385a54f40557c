-- name: list
-- Whoever has a role, by name, after ($1, $2); $3 null = anybody, one otherwise, also one who has none any more.
SELECT person_id, issuer, subject, name, role, team, reason, by, at FROM people
WHERE (name, person_id) > ($1, $2) AND CASE WHEN $3::text IS NULL THEN role <> '' ELSE person_id = $3 END
ORDER BY name, person_id LIMIT $4

-- name: act
-- A role is given to a person, or taken away (''); the tenant is the transaction's.
INSERT INTO people_acts (tenant, person_id, issuer, subject, name, role, team, reason, by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: hold
-- Until the transaction's end nobody gives or takes a role of this tenant.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1885695076))

-- name: count
-- How many have a role.
SELECT count(*) FROM people WHERE role <> ''

-- name: other_admins
-- How many beside the person $1 may change everything: keys, and people for whom one of the issuers $2 vouches, for nobody
-- else comes in.
SELECT (SELECT count(*) FROM people WHERE role = 'admin' AND person_id <> $1 AND issuer = ANY ($2::text[])) + (
    SELECT count(*) FROM api_keys
    WHERE 'admin' = ANY (scopes) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
)
