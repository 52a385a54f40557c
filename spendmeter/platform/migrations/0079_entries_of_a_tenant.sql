-- A tenant's entries by time: without it a small tenant's list of events walks everybody's, newest first.
-- depends: 0074_agent_people 0076_bills_are_no_calls

-- migrate: apply

-- In the order in which they are listed, so that the next page begins where the last one ended.
CREATE INDEX entries_tenant ON entries (tenant, occurred_at, identity, seq);

-- migrate: rollback

DROP INDEX entries_tenant;
