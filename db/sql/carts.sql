-- name: carts.save
-- $1 user ids (locked), $2 SKUs, $3 units; one row per line of a cart.
INSERT INTO cart_lines (user_id, sku_id, qty)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[])
ON CONFLICT (user_id, sku_id) DO UPDATE SET qty = excluded.qty, updated_at = clock_timestamp();

-- name: carts.remove
-- $1 user ids (locked), $2 SKUs. Lines that are gone already are missing.
DELETE FROM cart_lines c
USING unnest($1::text[], $2::text[]) AS n (user_id, sku_id)
WHERE c.user_id = n.user_id AND c.sku_id = n.sku_id;

-- name: carts.remove_ordered
-- $1 order ids (locked). Lines whose SKU the order or one of its children has leave its user's cart; locked in key order.
WITH ordered AS (
    SELECT DISTINCT o.root_id, o.user_id, i.sku_id
    FROM orders o JOIN order_items i ON i.order_id = o.id
    WHERE o.id = ANY($1::bigint[])
), gone AS (
    SELECT c.user_id, c.sku_id FROM cart_lines c
    WHERE (c.user_id, c.sku_id) IN (SELECT user_id, sku_id FROM ordered)
    ORDER BY c.user_id, c.sku_id
    FOR UPDATE
), removed AS (
    DELETE FROM cart_lines c USING gone g WHERE c.user_id = g.user_id AND c.sku_id = g.sku_id RETURNING c.user_id, c.sku_id
)
SELECT min(o.root_id) AS root_id, r.user_id, array_agg(DISTINCT r.sku_id ORDER BY r.sku_id) AS sku_ids
FROM removed r JOIN ordered o USING (user_id, sku_id)
GROUP BY r.user_id;
