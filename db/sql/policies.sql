-- name: policies.read
-- What differs per business type from the shop's own rules. No locks; three rows at most.
SELECT business_type, policy::text AS policy FROM business_policies;

-- name: policies.lock_revisions
-- $1 business types. The revisions we have, locked in order.
SELECT business_type AS id, revision FROM business_policies WHERE business_type = ANY($1::text[]) ORDER BY business_type FOR UPDATE;

-- name: policies.upsert
-- $1 business types, $2 revisions, $3 policies (JSON); one row per type, sorted here. Returns those whose revision was higher
-- than the one we had; a missing one was not.
INSERT INTO business_policies AS p (business_type, revision, policy)
SELECT n.business_type, n.revision, n.policy::jsonb
FROM unnest($1::text[], $2::bigint[], $3::text[]) AS n (business_type, revision, policy)
ORDER BY n.business_type
ON CONFLICT (business_type) DO UPDATE
SET revision = excluded.revision, policy = excluded.policy, updated_at = clock_timestamp()
WHERE p.revision < excluded.revision
RETURNING business_type;
