-- What people do about incidents, act by act; windows in which spend is planned; rules that are tried on what was.
-- depends: 0051_budgets

-- migrate: apply

-- Written by api, obeyed by alerts; nothing is changed or taken away. until: of a snooze. note: for those who come after.
CREATE TABLE incident_acts (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    incident_id uuid NOT NULL,
    act text NOT NULL
        CHECK (act IN ('acknowledge', 'snooze', 'unsnooze', 'expected', 'false_alarm', 'no_feedback')),
    until timestamptz CHECK ((act = 'snooze') = (until IS NOT NULL)),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    by text NOT NULL CHECK (length(by) BETWEEN 1 AND 200),
    at timestamptz NOT NULL DEFAULT now(),
    FOREIGN KEY (tenant, incident_id) REFERENCES incidents (tenant, id)
);
CREATE INDEX incident_acts_incident ON incident_acts (tenant, incident_id, number);
CREATE INDEX incident_acts_recent ON incident_acts (at);
INSERT INTO incident_acts (tenant, incident_id, act, note, by, at)
SELECT tenant, incident_id, 'acknowledge', note, acknowledged_by, acknowledged_at FROM acknowledgements
ORDER BY acknowledged_at;
DROP TABLE acknowledgements;

-- filter: dimension to value, {} = all of the tenant's spend. One that is cancelled ends then.
CREATE TABLE planned_windows (
    tenant text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    filter jsonb NOT NULL DEFAULT '{}' CHECK (
        jsonb_typeof(filter) = 'object' AND NOT jsonb_path_exists(filter, '$.* ? (@.type() <> "string")')
    ),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL CHECK (ends_at > starts_at AND ends_at <= starts_at + interval '31 days'),
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    cancelled_at timestamptz,
    cancelled_by text,
    cancel_reason text CHECK (length(cancel_reason) BETWEEN 1 AND 500),
    PRIMARY KEY (tenant, id),
    CHECK (num_nulls(cancelled_at, cancelled_by, cancel_reason) IN (0, 3))
);
CREATE INDEX planned_windows_ends ON planned_windows (tenant, ends_at);

-- snoozed_until: no message goes out before, but for an end, and for money beyond twice snoozed_amount, which is what people
-- knew. planned: the window in which it lies; parent: the incident of whose money its own is a part. Neither is told, while
-- that lasts. expected_until: until then people know that its scope spends so.
ALTER TABLE incidents
    ADD COLUMN snoozed_until timestamptz,
    ADD COLUMN snoozed_amount numeric,
    ADD COLUMN planned uuid,
    ADD COLUMN parent uuid,
    ADD COLUMN expected_until timestamptz;
CREATE INDEX incidents_expected ON incidents (tenant, expected_until) WHERE expected_until IS NOT NULL;
CREATE INDEX incidents_rule ON incidents (tenant, rule_id, opened_at);

ALTER TABLE deliveries
    DROP CONSTRAINT deliveries_held_check,
    ADD CONSTRAINT deliveries_held_check CHECK (held IN ('', 'quiet', 'digest', 'snooze'));

-- A rule tried on what was spent: asked for by api, carried out by whichever alerts worker claims it. progress: of 1.
CREATE TABLE rule_dry_runs (
    tenant text NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    rule_id text NOT NULL,
    of text NOT NULL,
    filter jsonb NOT NULL CHECK (jsonb_typeof(filter) = 'object'),
    settings jsonb NOT NULL CHECK (jsonb_typeof(settings) = 'object'),
    days int NOT NULL CHECK (days BETWEEN 1 AND 30),
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
    progress numeric NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    result jsonb CHECK (jsonb_typeof(result) = 'object'),
    error text NOT NULL DEFAULT '',
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    attempts int NOT NULL DEFAULT 0,
    finished_at timestamptz,
    PRIMARY KEY (tenant, id),
    CHECK ((state = 'done') = (result IS NOT NULL)),
    CHECK ((state IN ('done', 'failed')) = (finished_at IS NOT NULL))
);
CREATE INDEX rule_dry_runs_due ON rule_dry_runs (claimed_until) WHERE state IN ('waiting', 'running');

-- migrate: rollback

DROP TABLE rule_dry_runs;
UPDATE deliveries SET held = '' WHERE held = 'snooze';
ALTER TABLE deliveries
    DROP CONSTRAINT deliveries_held_check,
    ADD CONSTRAINT deliveries_held_check CHECK (held IN ('', 'quiet', 'digest'));
DROP INDEX incidents_expected, incidents_rule;
ALTER TABLE incidents
    DROP COLUMN snoozed_until, DROP COLUMN snoozed_amount, DROP COLUMN planned, DROP COLUMN parent,
    DROP COLUMN expected_until;
DROP TABLE planned_windows;
CREATE TABLE acknowledgements (
    tenant text NOT NULL,
    incident_id uuid NOT NULL,
    acknowledged_by text NOT NULL CHECK (length(acknowledged_by) BETWEEN 1 AND 200),
    note text NOT NULL DEFAULT '' CHECK (length(note) <= 2000),
    acknowledged_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, incident_id),
    FOREIGN KEY (tenant, incident_id) REFERENCES incidents (tenant, id)
);
INSERT INTO acknowledgements
SELECT DISTINCT ON (tenant, incident_id) tenant, incident_id, by, note, at FROM incident_acts
WHERE act = 'acknowledge' ORDER BY tenant, incident_id, number DESC;
DROP TABLE incident_acts;
