-- name: add
-- $3 = users, $4 = a pseudonym for each that has none yet, $5 = how many a tenant's month has room for.
INSERT INTO pseudonyms (tenant, month, keyed_user, pseudonym)
SELECT $1, $2::date, new.keyed_user, new.pseudonym FROM unnest($3::bytea[], $4::text[]) AS new (keyed_user, pseudonym)
WHERE (SELECT count(*) FROM (
    SELECT FROM pseudonyms p WHERE p.tenant = $1 AND p.month = $2::date LIMIT $5::int
) AS counted) < $5::int
ON CONFLICT DO NOTHING

-- name: look_up
-- A statement of its own: what another process added meanwhile is seen.
SELECT keyed_user, pseudonym FROM pseudonyms WHERE tenant = $1 AND month = $2::date AND keyed_user = ANY ($3::bytea[])
