-- Channels of every kind, what goes to which and when, and how each fares; a delivery may wait, or be told with another.
-- depends: 0047_alert_rules

-- migrate: apply

-- settings: a struct of contracts/channels.py with its `kind`. match, quiet: contracts/routes.py; {} = everything, [] = at
-- any hour. digest_minutes: 0 = each message at once. position: who is next where one fails.
-- failing_since = the first failed attempt since something was delivered; failures = deliveries given up since then.
ALTER TABLE channels
    ADD COLUMN settings jsonb CHECK (
        jsonb_typeof(settings) = 'object'
        AND settings ->> 'kind' IN ('webhook', 'alertmanager', 'pagerduty', 'slack', 'apprise')
    ),
    ADD COLUMN match jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(match) = 'object'),
    ADD COLUMN quiet jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(quiet) = 'array'),
    ADD COLUMN digest_minutes int NOT NULL DEFAULT 0 CHECK (digest_minutes BETWEEN 0 AND 1440),
    ADD COLUMN position int NOT NULL DEFAULT 0 CHECK (position BETWEEN 0 AND 1000),
    ADD COLUMN created_by text NOT NULL DEFAULT '',
    ADD COLUMN updated_by text NOT NULL DEFAULT '',
    ADD COLUMN last_success_at timestamptz,
    ADD COLUMN last_failure_at timestamptz,
    ADD COLUMN last_error text NOT NULL DEFAULT '',
    ADD COLUMN failing_since timestamptz,
    ADD COLUMN failures int NOT NULL DEFAULT 0;
UPDATE channels SET settings = jsonb_build_object('kind', 'webhook', 'url', url, 'secret', secret);
ALTER TABLE channels
    ALTER COLUMN settings SET NOT NULL,
    DROP COLUMN url,
    DROP COLUMN secret,
    DROP COLUMN kind,
    ADD COLUMN kind text GENERATED ALWAYS AS (settings ->> 'kind') STORED;

-- held: why it waits for next_attempt_at. merged: another one says it too (merged_into). test: of no incident, tried once.
ALTER TABLE deliveries
    ADD COLUMN held text NOT NULL DEFAULT '' CHECK (held IN ('', 'quiet', 'digest')),
    ADD COLUMN merged_into uuid,
    ALTER COLUMN incident_id DROP NOT NULL,
    DROP CONSTRAINT deliveries_transition_check,
    ADD CONSTRAINT deliveries_transition_check CHECK (
        transition IN ('opened', 'updated', 'grew', 'repeated', 'acknowledged', 'resolved', 'test')
        AND (transition = 'test') = (incident_id IS NULL)
    ),
    DROP CONSTRAINT deliveries_state_check,
    ADD CONSTRAINT deliveries_state_check CHECK (
        state IN ('pending', 'delivered', 'failed', 'merged') AND (state = 'merged') = (merged_into IS NOT NULL)
    );
CREATE INDEX deliveries_of_channel ON deliveries (tenant, channel_id, created_at DESC, id DESC);
CREATE UNIQUE INDEX deliveries_test ON deliveries (tenant, channel_id) WHERE transition = 'test' AND state = 'pending';

-- migrate: rollback

DROP INDEX deliveries_test, deliveries_of_channel;

DELETE FROM deliveries WHERE transition = 'test';
UPDATE deliveries SET state = 'delivered', merged_into = NULL WHERE state = 'merged';
DELETE FROM deliveries WHERE (tenant, channel_id) IN (SELECT tenant, id FROM channels WHERE kind <> 'webhook')
    OR (transition = 'updated' AND channel_id <> '00000000-0000-0000-0000-000000000000');
ALTER TABLE deliveries
    DROP COLUMN held,
    DROP COLUMN merged_into,
    ALTER COLUMN incident_id SET NOT NULL,
    DROP CONSTRAINT deliveries_transition_check,
    ADD CONSTRAINT deliveries_transition_check
        CHECK (transition IN ('opened', 'updated', 'grew', 'repeated', 'acknowledged', 'resolved')),
    ADD CONSTRAINT deliveries_state_check CHECK (state IN ('pending', 'delivered', 'failed'));
DELETE FROM channels WHERE kind <> 'webhook' OR deleted_at IS NOT NULL;  -- where those led is forgotten
ALTER TABLE channels
    ADD COLUMN url text CHECK (url ~ '^https?://' AND length(url) <= 2000),
    ADD COLUMN secret text CHECK (secret ~ '^whsec_([A-Za-z0-9+/]{4}){8,20}([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'),
    DROP COLUMN kind;
ALTER TABLE channels ADD COLUMN kind text NOT NULL DEFAULT 'webhook' CHECK (kind = 'webhook');
UPDATE channels SET url = settings ->> 'url', secret = settings ->> 'secret';
ALTER TABLE channels
    ALTER COLUMN url SET NOT NULL, ALTER COLUMN secret SET NOT NULL,
    DROP COLUMN settings, DROP COLUMN match, DROP COLUMN quiet, DROP COLUMN digest_minutes, DROP COLUMN position,
    DROP COLUMN created_by, DROP COLUMN updated_by, DROP COLUMN last_success_at, DROP COLUMN last_failure_at,
    DROP COLUMN last_error, DROP COLUMN failing_since, DROP COLUMN failures;
