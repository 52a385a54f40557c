-- An incident has messages: a repeat is told as one, and so is what grew. Kinds of incident for every rule.
-- depends: 0040_meters

-- migrate: apply

-- number: of the last message, 0 = that it opened. repeats: how often it was over and began again. details: what its
-- kind knows beyond the figures. A kind has a period, or else an episode.
ALTER TABLE incidents
    ADD COLUMN severity text NOT NULL DEFAULT 'warning' CHECK (severity IN ('info', 'warning', 'critical')),
    ADD COLUMN number int NOT NULL DEFAULT 0 CHECK (number >= 0),
    ADD COLUMN repeats int NOT NULL DEFAULT 0 CHECK (repeats >= 0),
    ADD COLUMN details jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
    DROP CONSTRAINT incidents_kind_check,
    ADD CONSTRAINT incidents_kind_check CHECK (kind IN (
        'budget', 'anomaly', 'unbooked', 'forecast', 'burn', 'shift', 'loop', 'first', 'drift', 'silence'
    )),
    DROP CONSTRAINT incidents_check1,
    ADD CONSTRAINT incidents_period CHECK (
        (kind IN ('budget', 'forecast', 'burn')) = (period_start IS NOT NULL AND period_end IS NOT NULL)
        AND (kind IN ('budget', 'forecast', 'burn')) = (threshold_percent IS NOT NULL)
    ),
    DROP CONSTRAINT incidents_episode,
    ADD CONSTRAINT incidents_episode CHECK (kind IN ('budget', 'forecast', 'burn') OR episode IS NOT NULL);
UPDATE incidents SET severity = 'critical' WHERE kind = 'anomaly' OR threshold_percent >= 100;

-- A message is one delivery a channel. Those of before were one a transition: they are numbered in their order.
ALTER TABLE deliveries
    ADD COLUMN number int NOT NULL DEFAULT 0,
    DROP CONSTRAINT deliveries_tenant_incident_id_transition_channel_id_key,
    DROP CONSTRAINT deliveries_transition_check,
    ADD CONSTRAINT deliveries_transition_check
        CHECK (transition IN ('opened', 'updated', 'grew', 'repeated', 'acknowledged', 'resolved'));
UPDATE deliveries SET number = CASE transition WHEN 'acknowledged' THEN 1 WHEN 'resolved' THEN 2 ELSE 0 END;
UPDATE incidents i SET number = coalesce((
    SELECT max(number) FROM deliveries d WHERE d.tenant = i.tenant AND d.incident_id = i.id
), 0);
CREATE UNIQUE INDEX deliveries_message ON deliveries (tenant, incident_id, channel_id, number)
    WHERE transition <> 'updated';
CREATE UNIQUE INDEX deliveries_update ON deliveries (tenant, incident_id, channel_id) WHERE transition = 'updated';

-- migrate: rollback

DELETE FROM deliveries d USING incidents i WHERE d.tenant = i.tenant AND d.incident_id = i.id
    AND (d.transition IN ('grew', 'repeated') OR i.kind NOT IN ('budget', 'anomaly', 'unbooked'));
DELETE FROM deliveries d USING deliveries later WHERE d.tenant = later.tenant AND d.incident_id = later.incident_id
    AND d.channel_id = later.channel_id AND d.transition = later.transition AND d.number < later.number;
DROP INDEX deliveries_message, deliveries_update;
ALTER TABLE deliveries
    DROP COLUMN number,
    DROP CONSTRAINT deliveries_transition_check,
    ADD CONSTRAINT deliveries_transition_check
        CHECK (transition IN ('opened', 'updated', 'acknowledged', 'resolved')),
    ADD CONSTRAINT deliveries_tenant_incident_id_transition_channel_id_key
        UNIQUE (tenant, incident_id, transition, channel_id);
DELETE FROM acknowledgements a USING incidents i WHERE a.tenant = i.tenant AND a.incident_id = i.id
    AND i.kind NOT IN ('budget', 'anomaly', 'unbooked');
DELETE FROM incidents WHERE kind NOT IN ('budget', 'anomaly', 'unbooked');
ALTER TABLE incidents
    DROP COLUMN severity, DROP COLUMN number, DROP COLUMN repeats, DROP COLUMN details,
    DROP CONSTRAINT incidents_kind_check,
    ADD CONSTRAINT incidents_kind_check CHECK (kind IN ('budget', 'anomaly', 'unbooked')),
    DROP CONSTRAINT incidents_period,
    ADD CONSTRAINT incidents_check1 CHECK (
        (kind = 'budget') = (period_start IS NOT NULL AND period_end IS NOT NULL AND threshold_percent IS NOT NULL)
    ),
    DROP CONSTRAINT incidents_episode,
    ADD CONSTRAINT incidents_episode CHECK (kind = 'budget' OR episode IS NOT NULL);
