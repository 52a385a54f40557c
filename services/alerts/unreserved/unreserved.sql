-- name: unreserved
-- What keys of tenant $1 spent past reservations, in currency $3, by subject and budget: since what is open of the key
-- began, else since the last of it was over, of the last day ($2) at most. Of an end's hour nothing belongs to what is over:
-- that was quiet for an hour. What keys of $4 (bills, accruals) send nobody could have reserved.
WITH told AS (
    SELECT scope ->> 'key_id' AS key_id, bool_or(state <> 'resolved') AS is_open, max(
        CASE WHEN state = 'resolved' THEN date_trunc('hour', resolved_at, 'UTC') ELSE (details ->> 'since')::timestamptz END
    ) AS since
    FROM incidents WHERE tenant = $1 AND kind = 'unreserved' AND (state <> 'resolved' OR resolved_at >= $2) GROUP BY 1
)
SELECT u.key_id, u.subject, u.budget_id, coalesce(b.name, '') AS budget, sum(u.events)::bigint AS events,
    sum(u.amount) AS amount, min(u.hour) AS since, min(u.first_at) AS first_at, max(u.counted_at) AS counted_at,
    (array_agg(u.differs ORDER BY u.hour DESC))[1] AS differs
FROM unreserved u LEFT JOIN told t USING (key_id) LEFT JOIN budgets b ON b.tenant = u.tenant AND b.id = u.budget_id
WHERE u.tenant = $1 AND u.currency = $3 AND u.key_id <> ALL ($4::text[])
    AND u.hour >= CASE WHEN t.is_open THEN t.since ELSE greatest(t.since, date_trunc('hour', $2::timestamptz, 'UTC')) END
GROUP BY u.key_id, u.subject, u.budget_id, b.name
