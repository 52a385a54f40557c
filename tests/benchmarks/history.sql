-- name: series
-- 200 teams, each with all of 60 models: who has ever spent. Of these 600 are active a day ($1 = the tenant).
INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, workflow_version,
    agent, environment, key_id)
SELECT $1, decode(md5('history' || n), 'hex'), 'model', 'openai', 'model-' || n % 60, 'team-' || lpad((n / 60)::text, 3, '0'),
    'project-' || n / 60 % 7, '', '', '', '', 'prod', '' FROM generate_series(0, 11999) AS n ON CONFLICT DO NOTHING

-- name: said_table
-- What the events of history say: those that were really booked, one for each of the series that are saturated.
CREATE TEMPORARY TABLE said (n bigint, many bigint, series_id bytea, catalog_version int, currency text, list numeric,
    contracted numeric, effective numeric, event text, lines text)

-- name: said
-- Of tenant $1.
INSERT INTO said
SELECT row_number() OVER (ORDER BY series_id) - 1, count(*) OVER (), e.* FROM (
    SELECT DISTINCT ON (series_id) series_id, catalog_version, currency, list, contracted, effective, event, lines
    FROM entries WHERE tenant = $1 AND status = 'priced' ORDER BY series_id
) AS e

-- name: new
-- Where events stand before they are in the book.
CREATE TEMPORARY TABLE new (identity bytea, partition int, event text, lines text, list numeric, contracted numeric,
    effective numeric, currency text, catalog_version int, at timestamptz, series_id bytea) ON COMMIT DROP

-- name: events
-- $4 events between $1 and $2, of the day number $3: of series that are active on it; saturated ($5): of the booked ones,
-- in each minute and partition one.
INSERT INTO new
SELECT decode(md5($3::int || ' ' || i), 'hex'), i % 4, s.event, s.lines, s.list, s.contracted, s.effective, s.currency,
    s.catalog_version,
    CASE WHEN $5::boolean THEN $1::timestamptz + i / (4 * s.many) * interval '1 minute'
        ELSE $1 + i * (($2::timestamptz - $1) / $4::int) END,
    CASE WHEN $5 THEN s.series_id
        ELSE decode(md5('history' || (i % 200 * 60 + (i / 200 % 3 * 20 + $3 + i % 200) % 60)), 'hex') END
FROM generate_series(0, $4 - 1) AS i
    JOIN said s ON s.n = CASE WHEN $5 THEN i / 4 % s.many ELSE i * 7919::bigint % s.many END

-- name: identities
-- As the ledger claims them.
INSERT INTO identities SELECT identity, at, identity, partition, 0 FROM new

-- name: entries
-- As they were booked.
INSERT INTO entries (occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, identity,
    series_id, tenant, status, currency, list, contracted, effective, event, lines)
SELECT at, at, 0, partition, catalog_version, date_trunc('month', at)::date, identity, series_id, $1, 'priced', currency,
    list, contracted, effective, event, lines FROM new ORDER BY at

-- name: minutes
-- What they add to the rollups; quantities are the same for all.
INSERT INTO rollups_minute AS r (bucket, recorded_on, shard, tenant, series_id, currency, events, unpriced_events, list,
    contracted, effective, of_which_provisional, input_tokens, output_tokens, cache_read_tokens)
SELECT date_trunc('minute', at), (at AT TIME ZONE 'UTC')::date, partition, $1, series_id, currency, count(*), 0, sum(list),
    sum(contracted), sum(effective), 0, 1000 * count(*), 100 * count(*), 5000 * count(*)
FROM new GROUP BY 1, 2, 3, 5, 6 ORDER BY 1, 5
ON CONFLICT (tenant, bucket, series_id, shard, recorded_on, currency) DO NOTHING

-- name: touch
-- What is to be rolled up.
INSERT INTO touched (tenant, size, bucket)
SELECT DISTINCT $1, 'five_minutes', date_bin('5 minutes', at, 'epoch') FROM new

-- name: left
-- Buckets that are over and not made yet.
SELECT count(*) FROM touched WHERE bucket < now() - CASE size WHEN 'five_minutes' THEN interval '10 minutes'
    WHEN 'hour' THEN interval '2 hours' ELSE interval '2 days' END

-- name: receipts
-- Booked events to ask the receipts of, spread over all of history.
INSERT INTO identities SELECT identity, at, identity, 0, 0
FROM unnest($1::bytea[], $2::timestamptz[]) AS n (identity, at) ON CONFLICT DO NOTHING

-- name: receipt_entries
-- Their entries, which say what the first of `said` does.
INSERT INTO entries (occurred_at, recorded_at, origin_offset, origin_partition, catalog_version, accounting_period, identity,
    series_id, tenant, status, currency, list, contracted, effective, event, lines)
SELECT at, at, 0, 0, catalog_version, date_trunc('month', at)::date, identity, series_id, $4, 'priced', currency, list,
    contracted, effective, n.event, lines
FROM unnest($1::bytea[], $2::timestamptz[], $3::text[]) AS n (identity, at, event), (SELECT * FROM said WHERE n = 0) AS s

-- name: figures
-- How large the book is.
SELECT (SELECT count(*) FROM entries) AS entries, (SELECT count(*) FROM rollups_minute) AS minutes,
    (SELECT count(*) FROM rollups) AS larger, pg_database_size(current_database()) >> 20 AS database_mib
