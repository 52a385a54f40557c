-- name: told
-- What tenant $1 was told of it that is open, or was over since $2: of which key, from which hour on, and when it was over.
SELECT scope ->> 'key_id' AS key_id, (details ->> 'since')::timestamptz AS since, resolved_at
FROM incidents WHERE tenant = $1 AND kind = 'unreserved' AND (state <> 'resolved' OR resolved_at >= $2)

-- name: unreserved
-- What keys of tenant $1 spent past reservations, in currency $2, by subject and budget, in the hours from $5 on, of keys $6
-- from those of $7 on, and before $4. What keys of $3 (bills, accruals) send nobody could have reserved.
SELECT u.key_id, u.subject, u.budget_id, coalesce(b.name, '') AS budget, sum(u.events)::bigint AS events,
    sum(u.amount) AS amount, min(u.hour) AS since, min(u.first_at) AS first_at, max(u.counted_at) AS counted_at,
    (array_agg(u.differs ORDER BY u.hour DESC))[1] AS differs
FROM unreserved u LEFT JOIN unnest($6::text[], $7::timestamptz[]) AS t (key_id, since) USING (key_id) LEFT JOIN budgets b ON b.tenant = u.tenant AND b.id = u.budget_id
WHERE u.tenant = $1 AND u.currency = $2 AND u.key_id <> ALL ($3::text[]) AND u.hour < $4 AND u.hour >= coalesce(t.since, $5)
GROUP BY u.key_id, u.subject, u.budget_id, b.name
