-- name: told
-- Of each period of a budget that ended after $2 the highest threshold that was told, be it over or not.
SELECT rule_id, rule_revision, period_start, max(threshold_percent) AS threshold_percent FROM incidents
WHERE tenant = $1 AND kind = 'budget' AND period_end > $2 GROUP BY rule_id, rule_revision, period_start
