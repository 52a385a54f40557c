-- name: periods
-- How periods stand that reach into [$1, $2), after ($3, $4), with what was booked of each.
SELECT p.term, p.effect, p.provider, p.units, p.period_start, p.period_end, p.covered_to, p.ended, p.currency, p.quantity, p.booked,
    p.due, p.trued_up, p.used, p.unused, p.explanation, p.missing AS provisional, p.refused, p.catalog_version, p.looked_at,
    ARRAY(
        SELECT jsonb_build_object('revision', u.revision, 'source', $5::text,
            'id', u.term || '/' || u.period_start || '/' || u.revision, 'occurred_at', u.occurred_at,
            'recorded_at', u.recorded_at, 'amount', u.amount::text, 'currency', u.currency, 'explanation', u.explanation)
        FROM true_ups u
        WHERE (u.tenant, u.term, u.period_start) = (p.tenant, p.term, p.period_start) ORDER BY u.revision DESC LIMIT $7
    ) AS true_ups
FROM true_up_periods p
WHERE p.period_end > $1 AND p.period_start < $2 AND (p.period_start, p.term) < ($3, $4)
ORDER BY p.period_start DESC, p.term DESC LIMIT $6
