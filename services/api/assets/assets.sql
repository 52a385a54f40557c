-- part: columns
-- An asset, without what was said of it, and how far it has come.
a.asset_id, a.kind, a.currency, a.zone, a.starts_on, a.accrue_from, a.registered_at, a.revision, a.sent_until,
    a.claimed_until, a.amended, a.amended_until, a.due_at, a.trouble

-- name: asset
-- One, as it is registered.
SELECT {columns} FROM assets a WHERE a.asset_id = $1

-- name: held
-- One, which nobody else changes or sends meanwhile.
SELECT {columns} FROM assets a WHERE a.asset_id = $1 FOR UPDATE

-- name: assets
-- Registered after ($1, $2), oldest first; $3 '' = of any kind.
SELECT {columns} FROM assets a WHERE (a.registered_at, a.asset_id) > ($1, $2) AND ($3 = '' OR a.kind = $3)
ORDER BY a.registered_at, a.asset_id LIMIT $4

-- name: count
-- How many the tenant has.
SELECT count(*) FROM assets

-- name: revisions
-- All that was ever said of these.
SELECT asset_id, revision, effective_from, first_hour, recorded_at, change, author, reason FROM asset_revisions
WHERE asset_id = ANY ($1::text[]) ORDER BY asset_id, revision

-- name: register
-- The tenant is the transaction's; a row = it was not there.
INSERT INTO assets (tenant, asset_id, kind, currency, zone, starts_on, accrue_from, sent_until, claimed_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT DO NOTHING RETURNING asset_id

-- name: revise
-- One more thing said of it.
INSERT INTO asset_revisions (tenant, asset_id, revision, effective_from, first_hour, change, author, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)

-- name: revised
-- There is something to do at once: to send, or to amend.
UPDATE assets SET revision = $2, due_at = now() WHERE asset_id = $1

-- name: due
-- What has something to do, of whichever tenant.
SELECT tenant, asset_id FROM assets_due($1)

-- name: late
-- By how many seconds the one that is furthest behind is.
SELECT coalesce(assets_late(), 0)

-- name: claim
-- Of these the ones that are due still and that nobody works at, and what the time is.
SELECT {columns}, now() AS at,
    EXISTS (SELECT FROM timesheets t WHERE t.asset_id = a.asset_id AND NOT t.sent) AS unsent_timesheets
FROM assets a WHERE a.asset_id = ANY ($1::text[]) AND a.due_at <= now()
ORDER BY a.due_at, a.asset_id FOR UPDATE SKIP LOCKED

-- name: claimed
-- Hours before $2 may be sent from now on; it comes back after $3 if whoever sends them dies.
UPDATE assets SET claimed_until = greatest(claimed_until, $2), due_at = now() + $3 WHERE asset_id = $1

-- name: next_revisions
-- Of these events ($1) the revision above all amends that were asked for before then ($2).
SELECT least(coalesce(max(c.revision)::bigint + 1, 0), 2147483647)::int AS revision
FROM unnest($1::bytea[], $2::timestamptz[]) WITH ORDINALITY AS n (identity, at, place)
    LEFT JOIN corrections c ON c.identity = n.identity AND c.kind = 'amend' AND c.requested_at < n.at
GROUP BY n.place ORDER BY n.place

-- name: settle
-- How far it has come, unless somebody else was here; $3 to $5 were $6 to $8. What was said of it meanwhile, or written
-- down, is to be looked at at once: whoever did so has moved `due_at` from where it was put off to, $10.
UPDATE assets SET sent_until = $3, amended = $4, amended_until = $5, trouble = '',
    due_at = CASE WHEN revision = $2 AND due_at = $10 THEN $9 ELSE now() END
WHERE asset_id = $1 AND sent_until = $6 AND amended = $7 AND amended_until IS NOT DISTINCT FROM $8

-- name: refused
-- Ingest does not take it, and why: it is tried again after $3.
UPDATE assets SET trouble = $2, due_at = now() + $3 WHERE asset_id = $1

-- name: booked
-- What the book says of these events ($1 their times, $2 their identities), corrections included.
SELECT e.currency, sum(e.effective) AS amount, count(DISTINCT e.identity) AS events
FROM unnest($1::timestamptz[], $2::bytea[]) AS n (occurred_at, identity)
    JOIN entries e ON e.recorded_on >= recorded_from(n.occurred_at) AND e.occurred_at = n.occurred_at
        AND e.identity = n.identity
GROUP BY e.currency ORDER BY e.currency

-- name: put_activity
-- The last word of a day holds.
INSERT INTO seat_activity (tenant, asset_id, day, active, author) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (tenant, asset_id, day) DO UPDATE SET
    active = excluded.active, author = excluded.author, recorded_at = now()

-- name: activity
-- The last days of which anybody has said how many seats were used, newest first.
SELECT day, active FROM seat_activity WHERE asset_id = $1 ORDER BY day DESC LIMIT $2

-- name: timesheet
-- What an entry says now.
SELECT entry_id, revision, day, hours, amount, labels, author, reason, sent FROM timesheets
WHERE asset_id = $1 AND entry_id = $2 ORDER BY revision DESC LIMIT 1

-- name: put_timesheet
-- An entry, or what it is to say from now on.
INSERT INTO timesheets (tenant, asset_id, entry_id, revision, day, hours, amount, labels, author, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- name: timesheets
-- What entries say now, and what all of it comes to.
SELECT DISTINCT ON (entry_id) entry_id, revision, day, hours, amount, labels FROM timesheets
WHERE asset_id = $1 ORDER BY entry_id, revision DESC

-- name: wake
-- There is something to send at once.
UPDATE assets SET due_at = now() WHERE asset_id = $1

-- name: unsent
-- Entries to be sent, in the order in which they were written down.
SELECT t.entry_id, t.revision, t.day, t.hours, t.amount, t.labels, t.author, t.reason, t.recorded_at,
    (SELECT f.labels FROM timesheets f
     WHERE f.asset_id = t.asset_id AND f.entry_id = t.entry_id AND f.revision = 1) AS first_labels
FROM timesheets t WHERE t.asset_id = $1 AND NOT t.sent ORDER BY t.recorded_at, t.entry_id, t.revision LIMIT $2

-- name: timesheets_sent
-- The broker holds them.
UPDATE timesheets t SET sent = true
FROM unnest($2::text[], $3::int[]) AS s (entry_id, revision)
WHERE t.asset_id = $1 AND t.entry_id = s.entry_id AND t.revision = s.revision
