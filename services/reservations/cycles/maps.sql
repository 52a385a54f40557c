-- name: maps
-- What is in force of tenants whose maps say something of levels.
SELECT tenant, maps FROM label_maps_in_force WHERE maps::text LIKE '%"cycles.%'
