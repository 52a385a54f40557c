-- Checks on amounts are named: the ledger rejects an event only for a check that it knows by name.
-- depends: 0007_inbox

-- migrate: apply

ALTER TABLE entries RENAME CONSTRAINT entries_check TO entries_list_check;
ALTER TABLE entries RENAME CONSTRAINT entries_check1 TO entries_contracted_check;
ALTER TABLE entries RENAME CONSTRAINT entries_check2 TO entries_effective_check;

-- migrate: rollback

ALTER TABLE entries RENAME CONSTRAINT entries_effective_check TO entries_check2;
ALTER TABLE entries RENAME CONSTRAINT entries_contracted_check TO entries_check1;
ALTER TABLE entries RENAME CONSTRAINT entries_list_check TO entries_check;
