-- How calls went, by series and hour: what a model's latency and success are read from, of any slice.
-- depends: 0059_unreserved

-- migrate: apply

-- hour: of UTC. call_status: as events state it, '' = they do not. over_context: the longest of some marks that the
-- context of these calls passes, 0 = none. latency: a bucket, whose middle is at most 1.6 % away from what is in it; -1
-- = none is stated (spendmeter/book/call_quality.py). Calls are as they were metered live: hours of people, hardware and
-- seats are none, nor are the rows of a bill. Corrections subtract, so a row may come to nothing and stays.
CREATE TABLE quality_hours (
    tenant text NOT NULL,
    hour timestamptz NOT NULL,
    series_id bytea NOT NULL,
    call_status text NOT NULL,
    over_context int NOT NULL,
    latency int NOT NULL,
    calls bigint NOT NULL,
    PRIMARY KEY (tenant, hour, series_id, call_status, over_context, latency)
) WITH (fillfactor = 70);

-- migrate: rollback

DELETE FROM projection_marks WHERE projection = 'quality_hours';
DROP TABLE quality_hours;
