-- name: budgets
-- The tenant's budgets as they are now, oldest first.
SELECT n.id, n.name, n.amount, n.currency, n.period, n.starts_on, n.ends_on, n.last_hours FROM budgets b, budget_now(b) AS n
WHERE n.deleted_at IS NULL ORDER BY n.created_at, n.id

-- name: current_tenant
-- Whose rows the transaction sees.
SELECT current_setting('app.tenant')

-- name: act_for
-- Whose it sees from here on.
SELECT set_config('app.tenant', $1, true)

-- name: follow
-- From $6 on it is $2 in $3; null = it is closed then. Until then it is what it is now.
UPDATE budgets b SET amount = n.amount, currency = n.currency, revision = n.revision, updated_at = n.updated_at,
    next_from = $6, next_amount = $2, next_currency = $3, terms_version = $4, terms_by = $5, terms_at = now()
FROM budgets held, budget_now(held) AS n WHERE held.id = $1 AND (b.tenant, b.id) = (held.tenant, held.id)

-- name: follow_at_once
-- The same from now on: nothing was booked in the currency before.
UPDATE budgets SET amount = coalesce($2, amount), currency = coalesce($3, currency), revision = revision + 1,
    updated_at = now(), deleted_at = CASE WHEN $2::numeric IS NULL THEN now() END,
    next_from = NULL, next_amount = NULL, next_currency = NULL,
    terms_version = $4, terms_by = $5, terms_at = now()
WHERE id = $1

-- name: take_back
-- What was decided for later is not to be; a budget that is raised for a period still becomes what it was.
UPDATE budgets SET next_from = NULL, next_amount = NULL, next_currency = NULL, terms_version = $2, terms_by = $3,
    terms_at = now()
WHERE id = $1 AND next_from > now() AND next_currency IS DISTINCT FROM currency
