-- A key may have the scope `correct`: to correct and to re-rate what is booked, which may lower an amount.
-- depends: 0022_unbooked

-- migrate: apply

ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check
        CHECK (scopes <@ ARRAY['ingest', 'read', 'correct', 'admin'] AND cardinality(scopes) > 0);

-- migrate: rollback

UPDATE api_keys SET scopes = array_remove(scopes, 'correct') WHERE scopes <> ARRAY['correct'];
UPDATE api_keys SET scopes = ARRAY['read'] WHERE scopes = ARRAY['correct'];
ALTER TABLE api_keys
    DROP CONSTRAINT api_keys_scopes_check,
    ADD CONSTRAINT api_keys_scopes_check
        CHECK (scopes <@ ARRAY['ingest', 'read', 'admin'] AND cardinality(scopes) > 0);
