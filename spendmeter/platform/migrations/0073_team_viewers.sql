-- Viewers of one team: its series by an index. Their role and its policies are made at every migrate (roles.py).
-- depends: 0074_agent_people 0076_bills_are_no_calls

-- migrate: apply

CREATE INDEX series_team ON series (tenant, team) INCLUDE (series_id);

-- migrate: rollback

DROP INDEX series_team;
