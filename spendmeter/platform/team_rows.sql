-- What the role api_team may read, by table: which rows, beside that they are app.tenant's. It has SELECT on these tables,
-- no letter on any other, and none without a policy (docs/decisions/teams.md). Without app.team it sees no rows of teams.

-- part: team
-- The team that api acts for; none is NULL, which equals nothing, and so is what was folded of many.
NULLIF(NULLIF(current_setting('app.team', true), ''), '~other')

-- part: of_team
-- What is of a series of the team: read once a statement, by the policy of series; as an array, for then indexes are
-- asked for these series.
series_id = ANY (ARRAY(SELECT s.series_id FROM series s))

-- name: tenants
-- What the tenant is called.
true

-- name: tenant_terms
-- In what it counts.
true

-- name: dimension_acts
-- What it calls dimensions of its own: a question names them.
true

-- name: touched
-- Which stretches of time are being added up again: no amounts.
true

-- name: rolled
-- How often days have changed: a number by which what was read before is known to hold, and that is never shown.
true

-- name: folded_days
-- The same of days of cells and of how calls went.
true

-- name: series
-- Its labels say the team.
team = {team}

-- name: rollups
-- Sums of series of the team.
{of_team}

-- name: rollups_minute
-- The same by the minute.
{of_team}

-- name: recorded_apart
-- The same of what was recorded later than it happened.
{of_team}

-- name: cells
-- What was used of each unit, of which prices are made that are then the team's own.
{of_team}

-- name: quality_hours
-- How its calls ended.
{of_team}

-- name: entries
-- What was booked in series of the team: of an event that has moved here, only since it has.
{of_team}

-- name: budgets
-- What governs the team's spend, or a part of it, and nobody else's.
filter ->> 'team' = {team}

-- name: budget_counters
-- What is held of these.
budget_id IN (SELECT b.id FROM budgets b)
