-- Who uses which coding agent, by team and month: to be counted, so that a team of few is not shown apart.
-- depends: 0072_readouts

-- migrate: apply

-- A projection. "user": the pseudonym of the month. Corrections subtract, so a row may come to nothing and stays.
CREATE TABLE agent_people (
    tenant text NOT NULL,
    month date NOT NULL,
    agent text NOT NULL,
    team text NOT NULL,
    "user" text NOT NULL CHECK ("user" <> ''),
    events bigint NOT NULL,
    PRIMARY KEY (tenant, month, agent, team, "user")
) WITH (fillfactor = 70);

-- What usage events say to have achieved, by when.
CREATE INDEX run_outcomes_at ON run_outcomes (tenant, at);

-- migrate: rollback

DROP INDEX run_outcomes_at;
DROP TABLE agent_people;
DELETE FROM projection_marks WHERE projection = 'agent_people';
