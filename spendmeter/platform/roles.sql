-- Run as the owner, at every migrate. {names} in braces are filled in by roles.py: identifiers are no parameters.

-- name: database
-- Whose roles these are.
SELECT current_database()

-- name: role_exists
-- Roles belong to the cluster: another database's migrate never makes ours.
SELECT 1 FROM pg_roles WHERE rolname = $1

-- name: role
-- A service may log in, and do nothing that is not granted below.
{verb} ROLE "{role}" LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD '{password}'

-- name: functions
-- Nobody may do anything; then what every service may, and the functions by which some look past their tables.
REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;
GRANT CONNECT ON DATABASE "{database}" TO {everyone};
GRANT TEMPORARY ON DATABASE "{database}" TO "{ledger}", "{corrector}";
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {everyone};
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC, {everyone};
GRANT USAGE ON SCHEMA public TO {everyone};
GRANT EXECUTE ON FUNCTION usage_sum(jsonb, jsonb), usage_total(jsonb), dimension(series, text), dimensions(series),
    recorded_from(timestamptz)
TO {everyone};
GRANT EXECUTE ON FUNCTION spent(text, text[], timestamptz[], timestamptz[]), series_within(text, bytea[], jsonb[])
TO "{alerts}", "{api}", "{api_team}", "{corrector}", "{reservations}";
GRANT EXECUTE ON FUNCTION spent_as_of(text, text[], timestamptz[], timestamptz[]), parts_of_time(timestamptz, timestamptz),
    usage_negated(jsonb), booked_by(timestamptz, int, bigint, timestamptz)
TO "{api}", "{api_team}";
GRANT EXECUTE ON FUNCTION counted_usage(jsonb, int, timestamptz) TO "{ledger}", "{api}", "{api_team}";
GRANT EXECUTE ON FUNCTION budget_now(budgets), accounting_by_partition(), behind_book(text[]) TO "{api_team}";
GRANT SELECT ON own_dimensions, minutes_kept, entry_sums, moments, moment_marks, closed_accounts, proved_until TO "{api_team}";
GRANT EXECUTE ON FUNCTION budget_now(budgets), catalog_to_publish(int) TO "{reservations}";
GRANT EXECUTE ON FUNCTION minutes_days(), make_minutes(date), let_minutes_go(timestamptz),
    take_minutes(text, timestamptz, timestamptz), drop_minutes(timestamptz), entries_months(), make_months(date),
    forget_identities(int)
TO "{ledger}";
GRANT EXECUTE ON FUNCTION key_names(text, text[]), accrual_series(text), progress_of_book(text), keys_gone(text, text[]),
    first_recorded(text, text, timestamptz), catalog_renewed(text)
    TO "{alerts}";
GRANT EXECUTE ON FUNCTION entries_months() TO "{corrector}", "{reconciler}";
GRANT EXECUTE ON FUNCTION accrual_series(text), bill_keys() TO "{ledger}";
GRANT EXECUTE ON FUNCTION first_open_day() TO "{ledger}", "{corrector}";
GRANT EXECUTE ON FUNCTION fault_of(text), raise_id(text, int, bigint), bill_keys() TO "{alerts}", "{api}";
GRANT EXECUTE ON FUNCTION
    live_keys(), keys_used(), live_sessions(), open_session(bytea, text, interval, int), close_session(bytea), live_people(),
    open_person_session(bytea, text, text, interval, int), end_sessions_but(text[], text[]),
    accounting_by_partition(), behind_book(text[]), accounting_by_tenant(), accounting_by_key(int), remarks_money(), remarks_seen(int),
    catalog_to_publish(int), catalog_published(), catalog_next(), catalog_standing(),
    catalog_record(int, text[], text, text), catalog_publications_after(int),
    catalog_bring_back(int, text[], text, text, timestamptz), catalog_used(), catalog_unknown(timestamptz),
    catalog_events(bytea[], timestamptz, timestamptz, int), catalog_events_count(text[], bytea[], timestamptz),
    dropped_names_seen(timestamptz, int), find_occurred_at(bytea), all_tenants(), assets_due(int), assets_late(), budget_now(budgets),
    booked_instead(unbooked), was_raised(unbooked), was_retracted(bytea), archived_month(bytea),
    unattributable(timestamptz, timestamptz, int), findings_seen(int), see_finding(bytea, text, text)
TO "{api}";
GRANT EXECUTE ON FUNCTION note_key_uses(text, text[], timestamptz[]) TO "{api}", "{ingest}", "{reservations}"

-- name: grant
-- What tables.md grants one role on one table.
GRANT {privileges} ON {table} TO "{role}"

-- name: policies
-- api acts for one tenant at a time and sees its rows alone and, where they are shared, those of ''; the other
-- services see all.
ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS one_tenant ON {table};
DROP POLICY IF EXISTS all_tenants ON {table};
CREATE POLICY one_tenant ON {table} TO "{api}" 
    USING (tenant = {own} OR ({shared} AND tenant = '' AND {own} IS NOT NULL)) WITH CHECK (tenant = {own});
CREATE POLICY all_tenants ON {table} TO {others}, CURRENT_USER USING (true) WITH CHECK (true)

-- name: team_policy
-- Whoever sees one team alone sees of this table the rows that team_rows.sql says, and changes none.
GRANT SELECT ON {table} TO "{role}";
DROP POLICY IF EXISTS one_team ON {table};
CREATE POLICY one_team ON {table} FOR SELECT TO "{role}" USING (tenant = {own} AND ({rows}))

-- part: own
-- The tenant that api acts for; none is NULL, which equals nothing.
NULLIF(current_setting('app.tenant', true), '')
