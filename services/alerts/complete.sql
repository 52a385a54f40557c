-- name: progress
-- How far the logs of usage.events reach, and up to where they are booked, and folded by projection $1.
SELECT partition, read_at, log_end, booked, folded FROM progress_of_book($1)
