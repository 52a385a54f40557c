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
    effective numeric, currency text, catalog_version int, at timestamptz, series_id bytea, place bigint,
    input_tokens numeric, output_tokens numeric, cache_read_tokens numeric) ON COMMIT DROP

-- name: events
-- $4 events between $1 and $2, of the day number $3: of series that are active on it; saturated ($5): of the booked ones,
-- in each minute and partition one. Their places grow with time, and lie before all that is really booked.
INSERT INTO new
SELECT decode(md5($3::int || ' ' || i), 'hex'), i % 4, s.event, s.lines, s.list, s.contracted, s.effective, s.currency,
    s.catalog_version, t.at,
    CASE WHEN $5 THEN s.series_id
        ELSE decode(md5('history' || (i % 200 * 60 + (i / 200 % 3 * 20 + $3 + i % 200) % 60)), 'hex') END,
    (extract(epoch FROM t.at) * 1000)::bigint - 10000000000000, 1000, 100, 5000
FROM generate_series(0, $4 - 1) AS i
    JOIN said s ON s.n = CASE WHEN $5 THEN i / 4 % s.many ELSE i * 7919::bigint % s.many END
    CROSS JOIN LATERAL (
        SELECT CASE WHEN $5::boolean THEN $1::timestamptz + i / (4 * s.many) * interval '1 minute'
            ELSE $1 + i * (($2::timestamptz - $1) / $4::int) END AS at
    ) AS t

-- name: moments
-- Of that history from $1 to $2, as if the ledger had been there: of each quarter of an hour its seventh minute, and its
-- last second, which holds all of it.
INSERT INTO moments (at, held_until, partitions, accounts, next_offsets)
SELECT m.at, m.at, '{-1,0,1,2,3}', '{0,0,0,0,0}',
    ARRAY[0] || array_fill((extract(epoch FROM m.until) * 1000)::bigint - 10000000000000, ARRAY[4])
FROM generate_series($1::timestamptz, $2, '15 minutes') AS q CROSS JOIN LATERAL (VALUES
    (date_bin('15 minutes', q, 'epoch') + interval '7 minutes', date_bin('15 minutes', q, 'epoch') + interval '7 minutes'),
    (date_bin('15 minutes', q, 'epoch') + interval '899 s', date_bin('15 minutes', q, 'epoch') + interval '15 minutes')
) AS m (at, until)
ON CONFLICT DO NOTHING

-- name: corrected
-- Some $2 of these events of tenant $1, of $3 in all, cost a tenth less now: pairs of entries, and what they add to every
-- size. How many it were.
WITH picked AS MATERIALIZED (
    SELECT e.*, row_number() OVER () - 1 AS n FROM entries e
    WHERE tenant = $1 AND seq = 0 AND origin_offset < 0
        AND get_byte(identity, 14) * 256 + get_byte(identity, 15) < 65536 * $2::bigint / $3::bigint
), pairs AS (
    INSERT INTO entries (occurred_at, origin_offset, origin_partition, catalog_version, accounting_period, seq, identity,
        series_id, tenant, status, currency, list, contracted, effective, event, lines, correction_id)
    SELECT occurred_at, next_entry + 2 * n + seqs.seq - 1, -1, p.catalog_version, accounting_period, seqs.seq, identity, series_id,
        tenant, status, currency, list * seqs.part, contracted * seqs.part, effective * seqs.part, NULL,
        CASE WHEN seqs.seq = 2 THEN lines END, 'bench'
    FROM picked p CROSS JOIN corrector c CROSS JOIN (VALUES (1, -1.0), (2, 0.9)) AS seqs (seq, part)
), minutes AS (
    INSERT INTO rollups_minute (bucket, recorded_on, shard, tenant, series_id, currency, events, unpriced_events, list,
        contracted, effective, of_which_provisional)
    SELECT date_bin('1 minute', occurred_at, 'epoch'), now()::date, -1, tenant, series_id, currency, 0, 0, sum(list * -0.1),
        sum(contracted * -0.1), sum(effective * -0.1), 0
    FROM picked GROUP BY 1, 4, 5, 6
), larger AS (
    INSERT INTO rollups (tenant, size, bucket, series_id, part, currency, events, unpriced_events, list, contracted,
        effective, of_which_provisional)
    SELECT tenant, s.size, date_bin(s.long, occurred_at, 'epoch'), series_id, -1, currency, 0, 0, sum(list * -0.1),
        sum(contracted * -0.1), sum(effective * -0.1), 0
    FROM picked CROSS JOIN (VALUES ('five_minutes', interval '5 minutes'), ('hour', '1 hour'), ('day', '1 day')) AS s (size, long)
    GROUP BY 1, 2, 3, 4, 6
), moved AS (
    UPDATE corrector SET next_entry = next_entry + 2 * (SELECT count(*) FROM picked), moves = moves + 1
)
SELECT count(*) FROM picked

-- name: unsorted
-- Entries of corrections that are in no moment yet.
SELECT c.next_entry - coalesce((SELECT next_offset FROM moment_marks WHERE partition = -1), 0) FROM corrector c

-- name: months
-- Parts of the book for the months from $1 days ago on, as if it had been kept since.
SELECT make_months((now() AT TIME ZONE 'UTC')::date - $1::int, (now() AT TIME ZONE 'UTC')::date)

-- name: identities
-- As the ledger claims them.
INSERT INTO identities (identity, occurred_at, hash, origin_partition, origin_offset, recorded_on)
SELECT identity, at, identity, partition, 0, (at AT TIME ZONE 'UTC')::date FROM new

-- name: entries
-- As they were booked.
INSERT INTO entries (recorded_on, occurred_at, recorded_at, origin_offset, origin_partition, catalog_version,
    accounting_period, identity, series_id, tenant, status, currency, list, contracted, effective, event, lines)
SELECT (at AT TIME ZONE 'UTC')::date, at, at, place, partition, catalog_version, date_trunc('month', at)::date, identity, series_id, $1, 'priced', currency,
    list, contracted, effective, event, lines FROM new ORDER BY at

-- name: minutes
-- What they add to the rollups.
INSERT INTO rollups_minute AS r (bucket, recorded_on, shard, tenant, series_id, currency, events, unpriced_events, list,
    contracted, effective, of_which_provisional, input_tokens, output_tokens, cache_read_tokens)
SELECT date_trunc('minute', at), (at AT TIME ZONE 'UTC')::date, partition, $1, series_id, currency, count(*), 0, sum(list),
    sum(contracted), sum(effective), 0, sum(input_tokens), sum(output_tokens), sum(cache_read_tokens)
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
INSERT INTO identities (identity, occurred_at, hash, origin_partition, origin_offset, recorded_on)
SELECT identity, at, identity, 0, 0, (at AT TIME ZONE 'UTC')::date
FROM unnest($1::bytea[], $2::timestamptz[]) AS n (identity, at) ON CONFLICT DO NOTHING

-- name: receipt_entries
-- Their entries, which say what the first of `said` does.
INSERT INTO entries (recorded_on, occurred_at, recorded_at, origin_offset, origin_partition, catalog_version,
    accounting_period, identity, series_id, tenant, status, currency, list, contracted, effective, event, lines)
SELECT (at AT TIME ZONE 'UTC')::date, at, at, 0, 0, catalog_version, date_trunc('month', at)::date, identity, series_id, $4, 'priced', currency, list,
    contracted, effective, n.event, lines
FROM unnest($1::bytea[], $2::timestamptz[], $3::text[]) AS n (identity, at, event), (SELECT * FROM said WHERE n = 0) AS s

-- name: figures
-- How large the book is.
SELECT (SELECT count(*) FROM entries) AS entries, (SELECT count(*) FROM rollups_minute) AS minutes,
    (SELECT count(*) FROM rollups) AS larger, pg_database_size(current_database()) >> 20 AS database_mib

-- name: close_accounts
-- What was booked before this moment is an account of its own, so that a history can be put there with places of
-- its own, for projections to fold. It is empty until `account_is`.
INSERT INTO closed_accounts (partition, next_origin) SELECT partition, 0 FROM generate_series(0, 3) AS partition
RETURNING ended_at

-- name: account_is
-- So far ($1) each of these accounts goes.
UPDATE closed_accounts SET next_origin = $1

-- name: shapes
-- What calls of each model were really priced and booked as: the events of tenant $1 that came from $2. @id, @time and
-- @labels stand for what is another's in each event that says the same.
CREATE TEMPORARY TABLE shapes AS
SELECT dense_rank() OVER (ORDER BY provider, sku) - 1 AS model,
    row_number() OVER (PARTITION BY provider, sku ORDER BY identity) - 1 AS shape, provider, sku, catalog_version,
    currency, list, contracted, effective, lines,
    (data -> 'usage' ->> 'input_tokens')::numeric AS input_tokens, (data -> 'usage' ->> 'output_tokens')::numeric AS output_tokens,
    (data -> 'usage' ->> 'cache_read_tokens')::numeric AS cache_read_tokens,
    regexp_replace(regexp_replace(regexp_replace(event, '"labels":{[^}]*}', '"labels":@labels'),
        '"id":"[^"]*"', '"id":"@id"'), '"time":"[^"]*"', '"time":"@time"') AS event
FROM (
    SELECT e.*, event::jsonb -> 'data' AS data, event::jsonb -> 'data' ->> 'provider' AS provider,
        event::jsonb -> 'data' ->> 'sku' AS sku
    FROM entries e WHERE tenant = $1 AND status = 'priced' AND event::jsonb ->> 'source' = $2
) AS booked

-- name: parties
-- $1 teams, and what their events say of themselves: three versions of a workflow, one after the other.
CREATE TEMPORARY TABLE parties AS
SELECT team, version, format('{"team":"team-%s","project":"project-%s","feature":"feature-%s","workflow":"workflow-%s",'
    '"workflow_version":"v%s","run":"@run","agent":"agent-%s","environment":"prod"}', lpad(team::text, 3, '0'), team % 7, team % 5,
    team % 12, version, team % 25) AS labels
FROM generate_series(0, $1::int - 1) AS team, generate_series(1, 3) AS version

-- name: party_series
-- Each of them with each of the models, of tenant $1.
INSERT INTO series (tenant, series_id, cost_class, provider, sku, team, project, feature, workflow, workflow_version,
    agent, environment, key_id)
SELECT $1, decode(md5('party' || team || ' ' || version || ' ' || model), 'hex'), 'model', provider, sku, l ->> 'team', l ->> 'project',
    l ->> 'feature', l ->> 'workflow', l ->> 'workflow_version', l ->> 'agent', l ->> 'environment', ''
FROM parties CROSS JOIN LATERAL (SELECT labels::jsonb AS l) AS said CROSS JOIN (SELECT DISTINCT model, provider, sku FROM shapes) AS models ON CONFLICT DO NOTHING

-- name: party_events
-- $4 events between $1 and $2, of the day number $3 of $5: runs of ten calls of a team, with the two models that it uses
-- on this day, at places from $6 of each of four partitions.
INSERT INTO new
SELECT decode(md5('party event' || $3::int || ' ' || i), 'hex'), i / 10 % 4,
    replace(replace(replace(s.event, '@labels', replace(p.labels, '@run', 'run-' || $3 || '-' || i / 10)), '@id',
        'history-' || $3 || '-' || i), '@time', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')),
    s.lines, s.list, s.contracted, s.effective, s.currency, s.catalog_version, at,
    decode(md5('party' || p.team || ' ' || p.version || ' ' || s.model), 'hex'), $6::bigint + i / 40 * 10 + i % 10, s.input_tokens,
    s.output_tokens, s.cache_read_tokens
FROM (SELECT count(DISTINCT model)::int AS models, max(shape)::int + 1 AS most FROM shapes) AS many
    CROSS JOIN (SELECT count(DISTINCT team)::int AS teams FROM parties) AS t
    CROSS JOIN generate_series(0, $4::int - 1) AS i
    CROSS JOIN LATERAL (SELECT $1::timestamptz + i * (($2::timestamptz - $1) / $4) AS at, i / 10 % teams AS team) AS whose
    JOIN parties p ON p.team = whose.team AND p.version = 3 - least(2, ($3 - 1) * 3 / $5::int)
    JOIN shapes s ON s.model = (i % 5 / 4 * 20 + $3 + whose.team) % models AND s.shape = i * 7919::bigint % most

-- name: folded
-- How much of the history's accounts projections have not folded yet, and how many days of workflows are to be made.
SELECT (SELECT coalesce(sum(c.next_origin - m.next_offset), 0) FROM projection_marks m JOIN closed_accounts c USING (partition)
        WHERE m.account = 0)::bigint AS places,
    (SELECT count(*) FROM run_days_due) + (SELECT count(*) FROM workflow_days_due) AS days

-- name: outcomes
-- What became of the runs of tenant $1: most are accepted, some refused, some nobody judges.
INSERT INTO outcomes (identity, tenant, source, event_id, key_id, kind, target, name, count, value, currency, accepted, run,
    workflow, workflow_version, labels, hash, occurred_at)
SELECT decode(md5('outcome ' || run), 'hex'), tenant, 'history', run, 'k', 'outcome', NULL, 'solved', 1, 2, 'USD',
    CASE hashtext(run) % 5 WHEN 0 THEN NULL WHEN 1 THEN false ELSE true END, run, workflow, workflow_version, '{}', '',
    last_at + interval '1 s'
FROM run_days WHERE tenant = $1 AND run LIKE 'run-%' ON CONFLICT DO NOTHING

-- name: outcomes_due
-- Days whose moments they change.
INSERT INTO run_days_due SELECT DISTINCT tenant, day, '' FROM run_days WHERE tenant = $1

-- name: booked
-- How many events of tenant $1 there are, and what they cost.
SELECT count(*) AS events, sum(effective) AS effective FROM entries WHERE tenant = $1
