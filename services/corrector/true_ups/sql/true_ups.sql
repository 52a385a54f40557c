-- name: newest
-- The newest version of the catalog; null = nothing was ever published.
SELECT max(version) FROM catalog_publications

-- name: due_tenant
-- One whose periods are to be worked out: of those that a term of a period is for, or that have a true-up. $1: the first
-- day that is not over, $2: the newest version of the catalog, $3: who rests.
WITH stated AS MATERIALIZED (
    SELECT DISTINCT tenant FROM catalog_entries WHERE type = 'spendmeter.catalog.period.v1' AND version <= $2
)
SELECT t.tenant FROM tenants t LEFT JOIN true_up_marks m USING (tenant)
WHERE t.tenant <> ALL ($3::text[]) AND (EXISTS (SELECT FROM stated s WHERE s.tenant IN ('', t.tenant))
        OR EXISTS (SELECT FROM true_ups u WHERE u.tenant = t.tenant))
    AND (m.tenant IS NULL OR m.horizon < $1 OR m.catalog_version < $2
        OR EXISTS (SELECT FROM true_ups_due d WHERE d.tenant = t.tenant AND d.day < least(m.horizon, $1)))
ORDER BY t.tenant LIMIT 1

-- name: forget_others
-- Days of tenants that no term of a period is for, and that have no true-up.
DELETE FROM true_ups_due d WHERE NOT EXISTS (
    SELECT FROM catalog_entries WHERE type = 'spendmeter.catalog.period.v1' AND tenant IN ('', d.tenant)
) AND NOT EXISTS (SELECT FROM true_ups u WHERE u.tenant = d.tenant)

-- name: waits_for
-- Since when an entry waits to be folded into cells; null = none does. [$2, $3): what is not, of partition $1, recorded
-- in [$4, $5).
SELECT recorded_at FROM entries
WHERE origin_partition = $1 AND origin_offset >= $2 AND origin_offset < $3 AND recorded_at >= $4 AND recorded_at < $5
ORDER BY origin_offset LIMIT 1

-- name: basis
-- What of version $2 of the catalog the periods of tenant $1 follow from, beside what was used and what that was booked at: terms
-- of periods, what is agreed with the tenant, names, and the rates from currencies that its terms or its book are in, or were, into
-- the book's (where none is stated it is USD). Prices are none of it: what they change, events are priced anew for, and their days
-- are due.
WITH gone AS (
    SELECT jsonb_array_elements_text(body::jsonb -> 'entries') AS id FROM catalog_entries
    WHERE type = 'spendmeter.catalog.withdrawal.v1' AND version <= $2
), stated AS (
    SELECT id, type, provider, body FROM catalog_entries
    WHERE version <= $2 AND tenant IN ('', $1) AND id NOT IN (SELECT id FROM gone)
), terms AS (
    SELECT lower(provider) AS provider, coalesce(body::jsonb ->> 'currency', 'USD') AS currency FROM stated
    WHERE type = 'spendmeter.catalog.period.v1'
), books AS (
    SELECT 'USD' AS currency UNION SELECT currency FROM true_up_periods WHERE tenant = $1
    UNION SELECT body::jsonb ->> 'currency' FROM stated WHERE type = 'spendmeter.catalog.tenant.v1'
)
SELECT md5(coalesce(string_agg(id, ' ' ORDER BY id), '')) FROM stated
WHERE CASE type
    WHEN 'spendmeter.catalog.price.v1' THEN false WHEN 'spendmeter.catalog.adjustment.v1' THEN false
    WHEN 'spendmeter.catalog.withdrawal.v1' THEN false WHEN 'spendmeter.catalog.unit.v1' THEN false
    WHEN 'spendmeter.catalog.model.v1' THEN lower(provider) IN (SELECT provider FROM terms)
    WHEN 'spendmeter.catalog.fx.v1' THEN body::jsonb ->> 'quote' IN (SELECT currency FROM books)
        AND body::jsonb ->> 'base' IN (SELECT currency FROM terms UNION SELECT currency FROM books)
    ELSE true END

-- name: is_worked_out
-- Whether nothing of tenant $1 is to be worked out before day $2 but for another version of the catalog, which has the same
-- basis $3.
SELECT EXISTS (SELECT FROM true_up_marks WHERE tenant = $1 AND horizon >= $2 AND basis = $3)
    AND NOT EXISTS (SELECT FROM true_ups_due WHERE tenant = $1 AND day < $2)

-- name: mark
-- How far the tenant's periods are worked out; no row = not at all.
SELECT horizon, basis FROM true_up_marks WHERE tenant = $1

-- name: take_due
-- Days before $2 of which something has changed since.
DELETE FROM true_ups_due WHERE tenant = $1 AND day < $2 RETURNING day

-- name: silent_max
-- How long a transaction may be idle before its session is ended.
SELECT current_setting('idle_in_transaction_session_timeout')

-- name: be_silent
-- For the rest of this one so long.
SELECT set_config('idle_in_transaction_session_timeout', $1, true)

-- name: uses
-- What was used on the days [$2, $3), by all that terms ask for. Of models there are sums of cells. What an event cost beside
-- its lines is there without a unit (a bill's row has its effective cost so); true-ups are none of it.
SELECT day, provider, sku, 'model' AS cost_class, tier, region, batch, unit, currency, status, sum(quantity) AS quantity,
    sum(effective) AS amount
FROM model_days WHERE tenant = $1 AND day >= $2 AND day < $3 AND (unit <> '' OR effective <> 0 AND sku <> 'true-up')
GROUP BY 1, 2, 3, 5, 6, 7, 8, 9, 10
UNION ALL
SELECT c.day, s.provider, s.sku, s.cost_class, c.tier, c.region, c.batch, c.unit, c.currency, c.status, sum(c.quantity),
    sum(c.effective)
FROM cells c JOIN series s USING (tenant, series_id)
WHERE c.tenant = $1 AND c.day >= $2 AND c.day < $3 AND s.cost_class <> 'model'
    AND (unit <> '' OR effective <> 0 AND sku <> 'true-up')
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10

-- name: booked
-- All true-ups of a tenant whose periods reach into [$2, $3), in the order of their revisions.
SELECT term, period_start, period_end, amount, currency, occurred_at, effect, provider, cost_class FROM true_ups
WHERE tenant = $1 AND period_end > $2 AND period_start < $3 ORDER BY term, period_start, revision

-- name: periods
-- Of which terms and periods the tenant has standings that reach into [$2, $3).
SELECT term, period_start, period_end FROM true_up_periods
WHERE tenant = $1 AND period_end > $2 AND period_start < $3

-- name: insert_entries
-- True-ups as entries of the book: $1 numbers, then a column each.
INSERT INTO entries (recorded_on, identity, occurred_at, seq, origin_partition, origin_offset, catalog_version,
    accounting_period, series_id, tenant, status, currency, list, contracted, effective, event, lines)
SELECT greatest((SELECT recorded_on FROM corrector), recorded_from(occurred_at), (SELECT first_open_day())), identity,
    occurred_at, -2, -1, number, version, month, series_id, tenant, 'priced',
    currency, 0, 0, amount, event, lines
FROM unnest($1::bigint[], $2::bytea[], $3::timestamptz[], $4::int[], $5::date[], $6::bytea[], $7::text[], $8::text[],
    $9::numeric[], $10::text[], $11::text[])
    AS t (number, identity, occurred_at, version, month, series_id, tenant, currency, amount, event, lines)

-- name: insert_true_up
-- Beside its entry, why.
INSERT INTO true_ups (tenant, term, period_start, revision, period_end, covered_to, identity, occurred_at, effect, provider,
    cost_class, currency, amount, catalog_version, explanation, counted, used, unused, accounting_period)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)

-- name: put_period
-- How a term of a period stands now.
INSERT INTO true_up_periods (tenant, term, period_start, period_end, covered_to, ended, effect, provider, units, cost_class,
    currency, quantity, booked, due, trued_up, used, unused, revisions, explanation, missing, refused, catalog_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
ON CONFLICT (tenant, term, period_start) DO UPDATE SET
    period_end = excluded.period_end, covered_to = excluded.covered_to, ended = excluded.ended, effect = excluded.effect,
    provider = excluded.provider, units = excluded.units, cost_class = excluded.cost_class, currency = excluded.currency,
    quantity = excluded.quantity, booked = excluded.booked, due = excluded.due, trued_up = excluded.trued_up,
    used = excluded.used, unused = excluded.unused, revisions = excluded.revisions, explanation = excluded.explanation,
    missing = excluded.missing, refused = excluded.refused, catalog_version = excluded.catalog_version, looked_at = now()

-- name: drop_period
-- Of a term that never changed anything, and does not count any more.
DELETE FROM true_up_periods WHERE tenant = $1 AND term = $2 AND period_start = $3

-- name: put_mark
-- How far they are worked out now.
INSERT INTO true_up_marks AS m (tenant, horizon, catalog_version, basis) VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant) DO UPDATE SET horizon = greatest(m.horizon, excluded.horizon),
    catalog_version = greatest(m.catalog_version, excluded.catalog_version), basis = excluded.basis
