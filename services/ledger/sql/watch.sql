-- name: write_log_end
-- In flight = log_end - positions.next_origin; `stopped` says why a line stands still.
INSERT INTO log_ends (partition, log_end, read_at, stopped) VALUES ($1, $2, $3, $4)
ON CONFLICT (partition) DO UPDATE SET log_end = excluded.log_end, read_at = excluded.read_at,
    stopped = excluded.stopped

-- name: alive
-- A worker that has no partition just now asks for nothing else.
SELECT
