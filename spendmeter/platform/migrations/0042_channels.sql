-- What a channel was told of an incident, where its next message depends on that.
-- depends: 0040_meters

-- migrate: apply

-- remembered = what the channel answered or was told (Slack: which message shows the incident; Alertmanager: its
-- labels). event, told_at = the last message that it took, which is sent again at resend_at, NULL = not: an
-- Alertmanager that hears nothing takes an incident for over.
CREATE TABLE channel_memory (
    tenant text NOT NULL,
    incident_id uuid NOT NULL,
    channel_id uuid NOT NULL,
    remembered jsonb NOT NULL DEFAULT '{}',
    event text NOT NULL DEFAULT '',
    delivery_id uuid,
    told_at timestamptz,
    resend_at timestamptz,
    PRIMARY KEY (tenant, incident_id, channel_id),
    FOREIGN KEY (tenant, incident_id) REFERENCES incidents (tenant, id),
    CHECK (resend_at IS NULL OR event <> '')
);
CREATE INDEX channel_memory_due ON channel_memory (resend_at) WHERE resend_at IS NOT NULL;

-- migrate: rollback

DROP TABLE channel_memory;
