-- What a commitment's true-up leaves used and unused, and in whose statement it is: so that a closed month's rows of it stay.
-- depends: 0086_true_ups

-- migrate: apply

-- Of a commitment: what counts toward it (its quantity, or money that is booked), what of its payment is used and what is
-- not, with this revision. null = it commits to nothing, or was written before this column was. accounting_period: its entry's.
ALTER TABLE true_ups ADD COLUMN counted numeric, ADD COLUMN used numeric, ADD COLUMN unused numeric,
    ADD COLUMN accounting_period date;
UPDATE true_ups u SET accounting_period = e.accounting_period FROM entries e
WHERE e.origin_partition = -1 AND e.seq = -2 AND (e.identity, e.occurred_at) = (u.identity, u.occurred_at);

-- migrate: rollback

ALTER TABLE true_ups DROP COLUMN counted, DROP COLUMN used, DROP COLUMN unused, DROP COLUMN accounting_period;
