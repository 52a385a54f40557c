-- A readout is called otherwise and grouped by other dimensions, as OpenMeter's meters are.
-- depends: 0073_team_viewers 0077_unpinned 0079_entries_of_a_tenant

-- migrate: apply

-- by and changed_at are of the last act; what each one was the audit log says.
ALTER TABLE readouts ADD COLUMN changed_at timestamptz;
UPDATE readouts SET changed_at = at;
ALTER TABLE readouts ALTER COLUMN changed_at SET NOT NULL, ALTER COLUMN changed_at SET DEFAULT now();

-- migrate: rollback

ALTER TABLE readouts DROP COLUMN changed_at;
