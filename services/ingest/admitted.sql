-- name: admitted
-- What a day has admitted since it was last read.
SELECT number, tenant, dimension, value FROM admitted_values WHERE day = $1 AND number > $2

-- name: admit
-- Another process may have been first.
INSERT INTO admitted_values (tenant, day, dimension, value) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- name: forget
-- Days that are over; of the last one a process whose clock is behind may still ask.
DELETE FROM admitted_values WHERE day < $1::date - 1
