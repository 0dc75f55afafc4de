CREATE OR REPLACE FUNCTION hd_runtime._token_digest(lease_token text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
-- Stable, and not strict, so that the planner inlines it; not text, so that its names are bound now
-- and not by the search_path of whoever it is inlined for.
RETURN 'sha256:' || encode(sha256(convert_to(lease_token, 'UTF8')), 'hex');
COMMENT ON FUNCTION hd_runtime._token_digest(text) IS
'What task_attempts.lease_token holds for a lease token.';
