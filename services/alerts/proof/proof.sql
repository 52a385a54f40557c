-- name: proof
-- What the reconciler says of the whole book, and of the findings of a tenant, or of nobody, that are there and nobody
-- has seen: how many, since when, and the first. No row where no reconciler ever looked.
SELECT u.proved_at, u.line, f.number, f.found_at, f.named, f.what
FROM proved_until u CROSS JOIN (
    SELECT count(*)::int AS number, min(n.found_at) AS found_at, (array_agg(n.named ORDER BY n.found_at, n.id))[1] AS named,
        (array_agg(n.what ORDER BY n.found_at, n.id))[1] AS what
    FROM proof_findings n
    WHERE n.tenant IN ($1, '') AND n.gone_at IS NULL AND NOT EXISTS (SELECT FROM proof_acts a WHERE a.finding = n.id)
) AS f
