-- name: reinstatements.lines
-- $1 root ids (locked). The lines of these orders and of their children, in order, with the other warehouses that they may come from. None of an order whose address is missing or was
-- erased, and none of one that was held, or had a child that was held, when it ended. Locks: none.
SELECT o.root_id, i.order_id, i.sku_id, i.warehouse, i.qty,
    ARRAY(SELECT jsonb_array_elements_text(o.policy -> 'other_warehouses' -> i.sku_id)) AS others
FROM orders o JOIN order_items i ON i.order_id = o.id
WHERE o.id = ANY(ARRAY(
        SELECT unnest($1::bigint[])
        UNION ALL
        SELECT c.id FROM orders c WHERE c.root_id = ANY($1) AND c.root_id <> c.id))
    AND i.order_id = o.id
    AND EXISTS (
        SELECT FROM order_addresses a LEFT JOIN user_keys k ON k.key_id = a.key_id
        WHERE a.order_id = o.root_id AND k.erased_at IS NULL AND a.key_id <> 'erased')
    AND NOT EXISTS (
        SELECT FROM (
            SELECT o.root_id AS id
            UNION ALL
            SELECT c.id FROM orders c WHERE c.root_id = o.root_id AND c.root_id <> c.id
        ) AS m
        CROSS JOIN LATERAL (SELECT FROM order_holds h WHERE h.order_id = m.id AND h.release_reason_code = 'order_ended' OFFSET 0) AS h)
ORDER BY o.root_id, i.order_id, i.line_no;
