-- Nobody stays logged in by the word of an issuer that no operator pins any more.
-- depends: 0074_agent_people 0076_bills_are_no_calls

-- migrate: apply

-- pinned_tenants and pinned_issuers belong together, one by one. Gone for good: an issuer that is pinned again revives none.
CREATE FUNCTION end_sessions_but(pinned_tenants text[], pinned_issuers text[])
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM sessions s WHERE s.person_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM people p JOIN unnest(pinned_tenants, pinned_issuers) AS pinned (tenant, issuer) USING (tenant, issuer)
        WHERE p.tenant = s.of_tenant AND p.person_id = s.person_id
    )
$$;

-- migrate: rollback

DROP FUNCTION end_sessions_but(text[], text[]);
