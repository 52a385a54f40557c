-- What a tenant has made of the rules by which it is watched.
-- depends: 0041_messages

-- migrate: apply

-- Act by act: the last one of a rule is in force. of: the kind, as in contracts/alert_rules.toml; settings: those that
-- differ from its defaults. removed: a rule of the tenant's own is gone, one that everybody has is as it was.
CREATE TABLE alert_rules (
    number int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    rule_id text NOT NULL CHECK (length(rule_id) BETWEEN 1 AND 64),
    of text NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    filter jsonb NOT NULL DEFAULT '{}' CHECK (
        jsonb_typeof(filter) = 'object' AND NOT jsonb_path_exists(filter, '$.* ? (@.type() <> "string")')
    ),
    settings jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    enabled boolean NOT NULL,
    removed boolean NOT NULL DEFAULT false,
    reason text NOT NULL CHECK (length(reason) BETWEEN 1 AND 500),
    by text NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_rules_rule ON alert_rules (tenant, rule_id, number);

-- The last of each rule of each tenant that the reader may see.
CREATE VIEW alert_rules_in_force WITH (security_invoker = true) AS
SELECT DISTINCT ON (tenant, rule_id) * FROM alert_rules ORDER BY tenant, rule_id, number DESC;

-- migrate: rollback

DROP VIEW alert_rules_in_force;
DROP TABLE alert_rules;
