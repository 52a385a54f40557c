-- name: known_since
-- From when on all hours of tenant $1 are added up by scope: those before its first one, or before those that wait since
-- there was no table for them, are no zeros. NULL: none is.
SELECT nullif(greatest(
    (SELECT min(bucket) FROM scope_hours WHERE tenant = $1),
    (SELECT until FROM scope_hours_missing WHERE tenant = $1)), 'infinity')

-- name: waits
-- Whether tenant $1 has hours from before $2, of an import, of which nothing is added up yet. Where others are known, up to
-- $3 are none: something came late for hours in which nothing had been spent.
SELECT count(*) > CASE WHEN EXISTS (SELECT FROM scope_hours WHERE tenant = $1) THEN $3::int ELSE 0 END FROM (
    SELECT DISTINCT bucket FROM scope_hours_due d WHERE tenant = $1 AND bucket < $2
        AND NOT EXISTS (SELECT FROM scope_hours s WHERE s.tenant = d.tenant AND s.bucket = d.bucket)
    LIMIT $3 + 1
) AS waiting

-- name: hours
-- What the $4 scopes of tenant $1 with the most money in the hours $3 came to in each of them, in currency $2. Values
-- beyond an hour's largest have no name there, and are left out.
SELECT dimension, value, array_agg(bucket) AS hours, array_agg(amount) AS amounts FROM (
    SELECT dimension, value, bucket, sum(effective) AS amount FROM scope_hours
    WHERE tenant = $1 AND currency = $2 AND bucket = ANY ($3::timestamptz[])
        AND (value <> '' OR dimension = 'tenant')
    GROUP BY dimension, value, bucket
) AS summed
GROUP BY dimension, value ORDER BY sum(amount) DESC, dimension, value LIMIT $4

-- name: month
-- What tenant $1 spent in currency $2 in the hours $3, hopping from hour to hour along the key.
SELECT coalesce(sum(effective), 0) FROM unnest($3::timestamptz[]) AS hour
    JOIN scope_hours ON tenant = $1 AND bucket = hour AND dimension = 'tenant' AND value = '' AND currency = $2
