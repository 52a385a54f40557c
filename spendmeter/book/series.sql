-- name: insert_series
-- A series is written once, when it is first seen. $3 = what it stands for, by column.
INSERT INTO series
SELECT s.* FROM jsonb_populate_record(NULL::series,
    $3::text::jsonb || jsonb_build_object('tenant', $1::text, 'series_id', $2::bytea, 'first_seen', now())) AS s
ON CONFLICT DO NOTHING

-- name: dimensions_of
-- The dimensions of some series.
SELECT series_id, dimensions(s) AS dimensions FROM series s WHERE tenant = $1 AND series_id = ANY ($2)
