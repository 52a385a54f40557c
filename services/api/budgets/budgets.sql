-- name: list
-- Budgets in force, oldest first; $1 null = all, else the one of that id. `next`: what a change of the tenant's
-- currency makes of it, and when; an amount of null = it is closed then.
SELECT n.id, n.name, n.filter, n.amount, n.currency, n.period, n.starts_on, n.ends_on, n.last_hours, n.each,
    n.thresholds_percent, n.forecast_thresholds_percent, n.revision, n.created_at, n.updated_at, n.next_from, n.next_amount, n.next_currency, CASE WHEN n.hard THEN jsonb_build_object(
        'unreserved', n.unreserved, 'when_away', n.when_away, 'key_share', n.key_share::text,
        'held', coalesce(c.held, 0)::text, 'debt', coalesce(c.debt, 0)::text) END AS hard
FROM budgets b CROSS JOIN LATERAL budget_now(b) AS n LEFT JOIN budget_counters c
    ON c.tenant = b.tenant AND c.budget_id = b.id AND c.period_start <= now() AND now() < c.period_end
WHERE n.deleted_at IS NULL AND ($1::uuid IS NULL OR n.id = $1) ORDER BY n.created_at, n.id

-- name: count
-- How many there are.
SELECT count(*) FROM budgets b, budget_now(b) AS n WHERE n.deleted_at IS NULL

-- name: tree
-- What says which budgets lie within which.
SELECT n.id, n.filter, n.currency, n.period, n.starts_on, n.ends_on, n.last_hours, n.amount, n.each
FROM budgets b, budget_now(b) AS n WHERE n.deleted_at IS NULL

-- name: create
-- The tenant is the transaction's. $8 to $10: from when it is what in the currency that begins then, if one does. $12 to
-- $14 belong to the period.
INSERT INTO budgets (tenant, name, filter, amount, currency, period, thresholds_percent, next_from, next_amount,
    next_currency, forecast_thresholds_percent, starts_on, ends_on, last_hours, each)
VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) RETURNING id

-- name: stated
-- What a change is held against, until the transaction's end.
SELECT n.filter, n.period, n.starts_on, n.ends_on, n.last_hours, n.each, n.hard, n.forecast_thresholds_percent
FROM budgets b, budget_now(b) AS n WHERE b.id = $1 AND n.deleted_at IS NULL FOR UPDATE OF b

-- name: change
-- Null = as it was; the period ($5 and $8 to $10) is stated whole. A change of what is watched raises the revision, which
-- arms the thresholds again; another name, or the same values once more, must not page anybody a second time; nor do
-- other thresholds of the forecast.
UPDATE budgets b SET name = n.name, filter = n.filter, amount = n.amount, currency = n.currency,
    period = $5, starts_on = $8, ends_on = $9, last_hours = $10, thresholds_percent = n.thresholds_percent,
    updated_at = now(),
    forecast_thresholds_percent = coalesce($7::numeric[], b.forecast_thresholds_percent), next_from = n.next_from,
    next_amount = n.next_amount, next_currency = n.next_currency,
    revision = n.revision + ((n.filter, n.amount, $5::text, $8::date, $9::date, $10::int, n.thresholds_percent)
        IS DISTINCT FROM (n.old_filter, n.old_amount, b.period, b.starts_on, b.ends_on, b.last_hours, n.old_percents)
    )::int
FROM (
    SELECT s.id, s.currency, s.revision, s.next_from, s.next_amount, s.next_currency, s.filter AS old_filter,
        s.amount AS old_amount, s.thresholds_percent AS old_percents,
        coalesce($2, s.name) AS name, coalesce($3::jsonb, s.filter) AS filter, coalesce($4, s.amount) AS amount,
        coalesce($6::numeric[], s.thresholds_percent) AS thresholds_percent
    FROM budgets held, budget_now(held) AS s WHERE held.id = $1 AND s.deleted_at IS NULL FOR UPDATE OF held
) AS n
WHERE b.id = n.id RETURNING b.id

-- name: harden
-- Whether it refuses what is not left, and how. No revision: what it watches stays what it is.
UPDATE budgets SET hard = $2, unreserved = $3, when_away = $4, key_share = $5, updated_at = now() WHERE id = $1

-- name: remove
-- Out of force, once. The row stays for the incidents that name it.
UPDATE budgets b SET deleted_at = now(), updated_at = now()
WHERE id = $1 AND (budget_now(b)).deleted_at IS NULL

-- name: removed
-- One that is out of force, as it was last, and how many incidents name it.
SELECT n.id, n.name, n.filter, n.amount, n.currency, n.period, n.starts_on, n.ends_on, n.last_hours, n.each,
    n.thresholds_percent, n.forecast_thresholds_percent, n.created_at, n.deleted_at AS removed_at, (SELECT count(*) FROM incidents WHERE rule_id = n.id::text) AS incidents
FROM budgets b, budget_now(b) AS n WHERE b.id = $1

-- name: spent
-- What each of $6's filters, in $5's currency, came to in the pieces $2 to $4 of tenant $1's time; without a row:
-- nothing. Summed by series first, so that a filter looks at a series once, and nobody reads a hundred thousand of
-- them.
WITH sums AS MATERIALIZED (
    SELECT currency, series_id, sum(effective) AS effective, sum(of_which_provisional) AS provisional
    FROM spent($1, $2, $3, $4) GROUP BY currency, series_id
), counted AS (
    SELECT place, effective, provisional
    FROM series_within($1, ARRAY(SELECT DISTINCT series_id FROM sums), $6::jsonb[]) AS w
        JOIN sums USING (series_id)
    WHERE sums.currency = ($5::text[])[place]
)
SELECT place::int, sum(effective) AS effective, sum(provisional) AS provisional FROM counted GROUP BY place

-- name: hold
-- Until the transaction's end nobody sets a budget of this tenant: none is left in a currency that ends.
SELECT pg_advisory_xact_lock(hashtextextended($1, 1651856484))
