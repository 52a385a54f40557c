-- name: budget
-- The budget that more is asked of, held until the transaction's end: two approvals add up.
SELECT n.id, n.name, n.amount, n.currency, n.period, n.starts_on, n.ends_on, n.last_hours, n.each, n.next_from, n.next_amount, n.next_currency
FROM budgets b, budget_now(b) AS n WHERE b.id = $1 AND n.deleted_at IS NULL FOR UPDATE OF b

-- name: ask
-- One at a time of each key: asked again, what is open is answered as it stands.
INSERT INTO budget_requests (tenant, budget_id, amount, currency, reason, requested_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (tenant, budget_id, requested_by) WHERE state = 'open' DO NOTHING
RETURNING *

-- name: open_of
-- The one of this key that is open.
SELECT * FROM budget_requests WHERE budget_id = $1 AND requested_by = $2 AND state = 'open'

-- name: list
-- The newest $2, of a state or ('') of any.
SELECT * FROM budget_requests WHERE $1 IN ('', state) ORDER BY requested_at DESC, id LIMIT $2

-- name: one
-- Held until the transaction's end: it is decided once.
SELECT * FROM budget_requests WHERE id = $1 FOR UPDATE

-- name: decide
-- Who, when and why; of an approval how much, for how long, and the revision that the budget has by it.
UPDATE budget_requests SET state = $2, granted = $3, lasts = $4, revision = $5, decided_by = $6, decision_reason = $7,
    decided_at = now()
WHERE id = $1 RETURNING *

-- name: raise
-- Its amount and revision from now on, and what it becomes at $3: null = it stays.
UPDATE budgets b SET amount = $2, revision = n.revision + 1, updated_at = now(), currency = n.currency,
    next_from = $3, next_amount = $4, next_currency = $5
FROM budgets held, budget_now(held) AS n WHERE held.id = $1 AND (b.tenant, b.id) = (held.tenant, held.id)
RETURNING b.revision
