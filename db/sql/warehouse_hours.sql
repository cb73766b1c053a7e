-- name: warehouse_hours.lock_revisions
-- $1 warehouses. The stored revisions. Locks: them, in order.
SELECT warehouse AS id, revision FROM warehouse_hours WHERE warehouse = ANY($1::text[]) ORDER BY warehouse FOR UPDATE;

-- name: warehouse_hours.upsert
-- $1 warehouses, $2 revisions, $3 hours (JSON; empty: none), in sorted order. Returns the warehouses whose revision is above the stored one.
INSERT INTO warehouse_hours AS w (warehouse, revision, hours)
SELECT n.warehouse, n.revision, n.hours::jsonb
FROM unnest($1::text[], $2::bigint[], $3::text[]) AS n (warehouse, revision, hours)
ORDER BY n.warehouse
ON CONFLICT (warehouse) DO UPDATE SET revision = excluded.revision, hours = excluded.hours, updated_at = clock_timestamp()
WHERE w.revision < excluded.revision
RETURNING warehouse;

-- name: warehouse_hours.reset_revisions
-- $1 ids (locked), $2 their revisions from now on, also below the stored ones.
UPDATE warehouse_hours e
SET revision = n.revision, updated_at = clock_timestamp()
FROM unnest($1::text[], $2::bigint[]) AS n (id, revision)
WHERE e.warehouse = n.id;
