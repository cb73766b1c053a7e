-- name: carts.save
-- $1 user ids (locked), $2 SKUs, $3 units. Writes one row per line of a cart.
INSERT INTO cart_lines (user_id, sku_id, qty)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[])
ON CONFLICT (user_id, sku_id) DO UPDATE SET qty = excluded.qty, updated_at = clock_timestamp();

-- name: carts.lock
-- $1 user ids (locked), $2 SKUs. Locks: the lines that exist, in key order.
SELECT c.user_id, c.sku_id
FROM (SELECT * FROM unnest($1::text[], $2::text[]) AS k (user_id, sku_id) ORDER BY user_id, sku_id) AS k
CROSS JOIN LATERAL (
    SELECT * FROM cart_lines n WHERE n.user_id = k.user_id AND n.sku_id = k.sku_id FOR UPDATE OFFSET 0
) AS c;

-- name: carts.remove
-- $1 user ids (locked), $2 SKUs. Deletes the lines that exist.
DELETE FROM cart_lines c
USING unnest($1::text[], $2::text[]) AS n (user_id, sku_id)
WHERE c.user_id = ANY (ARRAY[n.user_id]) AND c.sku_id = ANY (ARRAY[n.sku_id]);

-- name: carts.remove_ordered
-- $1 order ids (locked), $2 and $3 their bounds. Deletes the lines of carts whose SKU these orders of the same user contain. Locks: them, in
-- key order over all orders, as carts.lock does. It reads the lines of no order whose user has no cart.
WITH gone AS (
    SELECT c.user_id, c.sku_id
    FROM (
        SELECT DISTINCT o.user_id, f.sku_id
        FROM orders o
        CROSS JOIN LATERAL (SELECT n.user_id FROM cart_lines n WHERE n.user_id = o.user_id LIMIT 1) AS has
        CROSS JOIN LATERAL (
            SELECT n.sku_id
            FROM cart_lines n
            WHERE n.user_id = has.user_id AND n.sku_id = ANY(ARRAY(
                SELECT i.sku_id FROM order_items i WHERE i.order_id BETWEEN $2::bigint AND $3::bigint AND i.order_id = o.id))
            OFFSET 0
        ) AS f
        WHERE o.id BETWEEN $2::bigint AND $3::bigint AND o.id = ANY($1::bigint[])
        ORDER BY user_id, sku_id
    ) AS k
    CROSS JOIN LATERAL (
        SELECT n.user_id, n.sku_id FROM cart_lines n WHERE n.user_id = k.user_id AND n.sku_id = k.sku_id FOR UPDATE OFFSET 0
    ) AS c
), removed AS (
    DELETE FROM cart_lines c USING gone g
    WHERE c.user_id = ANY (ARRAY[g.user_id]) AND c.sku_id = ANY (ARRAY[g.sku_id])
    RETURNING c.user_id, c.sku_id
)
SELECT user_id, array_agg(DISTINCT sku_id ORDER BY sku_id) AS sku_ids FROM removed GROUP BY user_id ORDER BY user_id;
