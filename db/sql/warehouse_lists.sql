-- name: warehouse_lists.lock_revisions
-- $1 ids. The stored revisions. Locks: the lists, in id order.
SELECT id, revision FROM warehouse_lists WHERE id = ANY($1::text[]) ORDER BY id FOR UPDATE;

-- name: warehouse_lists.upsert
-- $1 ids, $2 revisions, $3 SKU ids, $4 countries, $5 provinces (each may be empty: any), $6 warehouses (JSON arrays). Writes one row per
-- list, in id order, and returns those whose revision is above the stored one.
INSERT INTO warehouse_lists AS w (id, revision, sku_id, country, province, warehouses)
SELECT n.id, n.revision, n.sku_id, n.country, n.province, ARRAY(SELECT jsonb_array_elements_text(n.warehouses::jsonb))
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[])
    AS n (id, revision, sku_id, country, province, warehouses)
ORDER BY n.id
ON CONFLICT (id) DO UPDATE
SET revision = excluded.revision, warehouses = excluded.warehouses, updated_at = clock_timestamp()
WHERE w.revision < excluded.revision
RETURNING id;

-- name: warehouse_lists.reset_revisions
-- $1 ids (locked), $2 their revisions from now on, also below the stored ones.
UPDATE warehouse_lists e
SET revision = n.revision, updated_at = clock_timestamp()
FROM unnest($1::text[], $2::bigint[]) AS n (id, revision)
WHERE e.id = n.id;

-- name: warehouse_lists.list
-- $1 the id after which the list goes on, $2 how many at most. The lists of warehouses, by id. Locks: none.
SELECT id, sku_id, country, province, warehouses, revision, updated_at FROM warehouse_lists WHERE id > $1 ORDER BY id LIMIT $2;

-- name: warehouse_lists.covering
-- $1 a SKU id, $2 a country, $3 a province, each of which may be empty. The lists that a line of the SKU may come by that goes there,
-- also those that are empty. Locks: none.
SELECT id, sku_id, country, province, warehouses, revision, updated_at
FROM warehouse_lists
WHERE sku_id = ANY(ARRAY[$1::text, '']) AND country = ANY(ARRAY[$2::text, '']) AND province = ANY(ARRAY[$3::text, '']);
