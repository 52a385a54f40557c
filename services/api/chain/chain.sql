-- name: days
-- Closed days, newest first, in [$1, $2), before $3.
SELECT tenant, epoch, day, previous_day, previous, leaves, sums, link, root, closed_at FROM chain_days
WHERE day >= $1 AND day < $2 AND day < $3 ORDER BY day DESC LIMIT $4

-- name: put_backs
-- When the book was put back to an earlier state.
SELECT epoch, stands_through, began_at, by, reason FROM chain_put_backs ORDER BY epoch

-- name: standing
-- Up to where days are closed, and what ledger.roots says otherwise.
SELECT closed_through, contradicted, refused FROM chain_progress

-- name: put_back
-- The next epoch, later than any that the topic speaks of. No row: there is nothing that was put back.
INSERT INTO chain_put_backs (epoch, stands_through, by, reason)
SELECT greatest(p.epoch_seen, (SELECT coalesce(max(epoch), 1) FROM chain_put_backs)) + 1, p.closed_through, $1, $2
FROM chain_progress p
WHERE (p.contradicted <> '' OR p.refused <> '')
    AND (SELECT coalesce(max(epoch), 1) FROM chain_put_backs) <= p.published_epoch
ON CONFLICT DO NOTHING
RETURNING epoch, stands_through, began_at, by, reason
