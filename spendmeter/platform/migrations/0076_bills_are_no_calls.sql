-- What a bill says of a workflow, and what accrues, is cost and no call: days of runs are made again by that rule.
-- depends: 0072_readouts

-- migrate: apply

-- The rule changes no column, so rows of before would stay, and the reversal of a bill's row would take a call away that
-- is not there any more. The corrector folds them from the book again; what moments of workflows they are part of is due
-- then, and until then answers say so (`pending`).
DELETE FROM projection_marks WHERE projection = 'run_days';
TRUNCATE run_days, run_days_due;

-- migrate: rollback

DELETE FROM projection_marks WHERE projection = 'run_days';
TRUNCATE run_days, run_days_due;
