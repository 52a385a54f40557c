-- name: make
-- Parts for the months until so many days from now.
SELECT make_months((now() AT TIME ZONE 'UTC')::date + $1::int)

-- name: ahead_days
-- For how many days from today on there are parts; below 0 today has none.
SELECT coalesce((max(m) + interval '1 month')::date - (now() AT TIME ZONE 'UTC')::date, 0) - 1 FROM entries_months() AS m

-- name: forget
-- Identities whose time is up, so many at most; how many.
SELECT forget_identities($1)
