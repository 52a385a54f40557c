-- name: booked
-- What acme's entries in [$1, $2) come to.
SELECT currency, sum(list) AS list, sum(contracted) AS contracted, sum(effective) AS effective
FROM entries WHERE tenant = 'acme' AND occurred_at >= $1 AND occurred_at < $2 GROUP BY currency

-- name: booked_by_period
-- What acme's entries come to, by the accounting period in which they were booked.
SELECT accounting_period, currency, sum(effective) AS effective FROM entries WHERE tenant = 'acme' GROUP BY 1, 2

-- name: series
-- $2 series of tenant $1: 60 models, 200 teams.
INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, workflow_version,
    agent, environment, key_id, own)
SELECT $1, decode(md5(n::text), 'hex'), 'model', 'openai', 'gpt-' || n % 60, 'team-' || n % 200, 'project-' || n % 40,
    'assistant', 'refund', 'v' || n % 3, 'agent-' || n % 25, 'prod', 'k_' || n % 100, '{}'
FROM generate_series(0, $2::int - 1) AS n

-- name: cells
-- $4 cells of tenant $1 on each day of [$2, $3), of $5 series: four units of each, at prices of their own.
INSERT INTO cells (tenant, day, cell_id, series_id, tier, region, batch, currency, unit, status, entry, factors,
    contracted_entry, reason, priced_in, contracted_in, events, quantity, list_priced, contracted_priced,
    effective_priced, list, contracted, effective)
SELECT $1, day, decode(md5('cell' || n), 'hex'), decode(md5((n / 4 % $5::int)::text), 'hex'),
    (ARRAY['standard', 'flex'])[1 + n / (4 * $5::int) % 2], (ARRAY['', 'eu', 'us'])[1 + n / (8 * $5::int) % 3], false, 'USD',
    (ARRAY['input_tokens', 'output_tokens', 'cache_read_tokens', 'cache_write_5m_tokens'])[1 + n % 4], 'priced',
    'entry' || n % 4, '', '', '', 'USD', 'USD', 3 + n % 40, quantity, amount, amount, amount, amount, amount, amount
FROM generate_series($2::date, $3::date - 1, interval '1 day') AS day, generate_series(0, $4::int - 1) AS n,
    LATERAL (SELECT (1000 + n * 7919 % 1000003)::numeric AS quantity) AS q,
    LATERAL (SELECT quantity * (ARRAY[0.0000025, 0.00001, 0.00000025, 0.000003125])[1 + n % 4] AS amount) AS a

-- name: rollups
-- What the book says of the same days.
INSERT INTO rollups (tenant, size, bucket, series_id, currency, events, unpriced_events, list, contracted, effective,
    of_which_provisional, usage)
SELECT tenant, 'day', day::timestamp AT TIME ZONE 'UTC', series_id, currency, sum(events), 0, sum(list), sum(contracted),
    sum(effective), 0, '{}'
FROM cells WHERE tenant = $1 GROUP BY tenant, day, series_id, currency
