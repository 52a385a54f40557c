-- name: routes
-- Where a tenant's incidents may be told, in their order; heard = it was sent something of this incident, told = and shows
-- it by itself, ended = that it is over, last of all. wholes_heard = of what this one may be told with ($4) those of which
-- it was sent something, and where there is news ($5), not the end; part_heard = of one that is told with this one, by
-- itself. The zone is the tenant's now: quiet hours are people's.
SELECT c.id, c.kind, c.settings, c.match, c.quiet, c.digest_minutes, c.failing_since IS NOT NULL AS failing,
    EXISTS (
        SELECT FROM deliveries d WHERE d.tenant = c.tenant AND d.incident_id = $2 AND d.channel_id = c.id
    ) AS heard,
    EXISTS (
        SELECT FROM channel_memory m WHERE m.tenant = c.tenant AND m.incident_id = $2 AND m.channel_id = c.id
            AND m.told_at IS NOT NULL
    ) AS told,
    ARRAY(
        SELECT d.incident_id FROM deliveries d
        WHERE d.tenant = c.tenant AND d.incident_id = ANY ($4::uuid[]) AND d.channel_id = c.id AND d.transition <> 'updated'
        GROUP BY d.incident_id
        HAVING $5::text IN ('acknowledged', 'resolved') OR (array_agg(d.transition ORDER BY d.number DESC))[1] <> 'resolved'
    ) AS wholes_heard,
    EXISTS (
        SELECT FROM incidents w JOIN incidents i ON i.tenant = w.tenant AND i.parent = w.id
            JOIN deliveries d ON d.tenant = i.tenant AND d.incident_id = i.id AND d.channel_id = c.id
        WHERE w.tenant = c.tenant AND w.id = $2 AND ARRAY[w.kind, i.kind] && ARRAY['budget', 'forecast', 'burn']
    ) AS part_heard,
    coalesce((
        SELECT d.transition = 'resolved' FROM deliveries d
        WHERE d.tenant = c.tenant AND d.incident_id = $2 AND d.channel_id = c.id AND d.transition <> 'updated'
        ORDER BY d.number DESC LIMIT 1
    ), false) AS ended,
    coalesce((
        SELECT t.zone FROM tenant_terms t WHERE t.tenant = c.tenant AND t.effective_from <= now()
        ORDER BY t.effective_from DESC LIMIT 1
    ), 'UTC') AS zone
FROM channels c WHERE c.tenant = $1 AND c.disabled_at IS NULL AND c.deleted_at IS NULL
ORDER BY c.position, c.created_at, c.id LIMIT $3

-- name: queue
-- Message $3 of the incident: a row for each of the channels $5, with its body, when it goes out (NULL = now), and why not
-- before. Its time is this statement's: a transaction that waited for the tenant's lock began before what it waited for.
INSERT INTO deliveries (tenant, incident_id, number, transition, channel_id, body, next_attempt_at, held, created_at)
SELECT $1, $2, $3, $4, way.channel_id, way.body, coalesce(way.at, now()), way.held, statement_timestamp()
FROM unnest($5::uuid[], $6::text[], $7::timestamptz[], $8::text[]) AS way (channel_id, body, at, held)
ON CONFLICT DO NOTHING

-- name: queue_update
-- An update takes the place of one that waits.
INSERT INTO deliveries (tenant, incident_id, number, transition, channel_id, body)
SELECT $1, $2, $3, 'updated', channel_id, $5 FROM unnest($4::uuid[]) AS channel_id
ON CONFLICT (tenant, incident_id, channel_id) WHERE transition = 'updated' DO UPDATE SET
    id = gen_random_uuid(), number = excluded.number, body = excluded.body, state = 'pending', attempts = 0,
    next_attempt_at = now(), claimed_until = '-infinity', last_error = '', created_at = now(), finished_at = NULL,
    merged_into = NULL
