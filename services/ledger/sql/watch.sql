-- name: write_log_end
-- In flight = log_end - positions.next_origin; `stopped` says why a line stands still.
INSERT INTO log_ends (partition, log_end, read_at, stopped) VALUES ($1, $2, $3, $4)
ON CONFLICT (partition) DO UPDATE SET log_end = excluded.log_end, read_at = excluded.read_at,
    stopped = excluded.stopped

-- name: end_frozen
-- A ledger that is frozen inside COPY keeps its locks, and no timeout of the database ends it: while a statement
-- waits for its client's data only the end of the session is heard. So one that is awake ends it.
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE usename = current_user AND datname = current_database() AND pid <> pg_backend_pid()
    AND state = 'active' AND wait_event = 'ClientRead' AND query_start < now() - interval '5 seconds'
