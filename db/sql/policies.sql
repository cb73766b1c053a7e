-- name: policies.read
-- The rules of each business type that differ from the shop's own, three rows at most. Locks: none.
SELECT business_type, policy::text AS policy FROM business_policies;

-- name: policies.read_with_hours
-- $1 warehouses. As policies.read, and the hours of these warehouses that have some (JSON). Locks: none.
SELECT 'policy' AS kind, business_type AS name, policy::text AS value FROM business_policies
UNION ALL
SELECT 'hours', warehouse, hours::text FROM warehouse_hours WHERE warehouse = ANY($1::text[]) AND hours <> '{}';

-- name: policies.lock_revisions
-- $1 business types. The stored revisions. Locks: them, in order.
SELECT business_type AS id, revision FROM business_policies WHERE business_type = ANY($1::text[]) ORDER BY business_type FOR UPDATE;

-- name: policies.upsert
-- $1 business types, $2 revisions, $3 policies (JSON); in sorted order. Returns the types whose
-- revision is above the stored one.
INSERT INTO business_policies AS p (business_type, revision, policy)
SELECT n.business_type, n.revision, n.policy::jsonb
FROM unnest($1::text[], $2::bigint[], $3::text[]) AS n (business_type, revision, policy)
ORDER BY n.business_type
ON CONFLICT (business_type) DO UPDATE
SET revision = excluded.revision, policy = excluded.policy, updated_at = clock_timestamp()
WHERE p.revision < excluded.revision
RETURNING business_type;

-- name: policies.reset_revisions
-- $1 ids (locked), $2 their revisions from now on, also below the stored ones.
UPDATE business_policies e
SET revision = n.revision, updated_at = clock_timestamp()
FROM unnest($1::text[], $2::bigint[]) AS n (id, revision)
WHERE e.business_type = n.id;
