-- name: fulfilments.of_orders
-- $1 order ids (locked), $2 and $3 their bounds. Their hand-overs, one for each warehouse. The lock of the order is that of its hand-overs.
SELECT order_id, warehouse, state, number, units, address_changes, cancel_no, ref, reason_code
FROM fulfilments
WHERE order_id BETWEEN $2::bigint AND $3::bigint AND order_id = ANY ($1::bigint[])
ORDER BY order_id, warehouse;

-- name: fulfilments.shares
-- $1 order ids (locked), $2 and $3 their bounds. For each order and warehouse the lines that it ships: units to ship or shipped, and those that have not left.
-- A parent whose children carry the goods has none. Locks: none.
SELECT i.order_id, i.warehouse, i.line_no, i.sku_id, i.name, i.qty - i.short_qty - i.cancelled_qty AS units,
    (i.qty - i.short_qty - i.cancelled_qty - coalesce((
        SELECT sum(p.qty) FROM shipment_items p JOIN shipments s ON s.id = p.shipment_id
        WHERE p.order_id BETWEEN $2::bigint AND $3::bigint AND p.order_id = i.order_id AND p.line_no = i.line_no AND NOT p.withdrawn AND s.case_id IS NULL
            AND s.state NOT IN ('booked', 'cancelled')), 0))::integer
        AS units_left
FROM order_items i JOIN orders o ON o.id BETWEEN $2::bigint AND $3::bigint AND o.id = i.order_id
WHERE i.order_id BETWEEN $2::bigint AND $3::bigint AND i.order_id = ANY ($1::bigint[]) AND o.kind <> 'split_parent'
ORDER BY i.order_id, i.warehouse, i.line_no;

-- name: fulfilments.papers
-- $1 order ids (locked), $2 and $3 bounds of the ids of their families. What goes with the goods of each: its number, its address and its
-- remark (that of the root), both encrypted. Locks: none.
SELECT o.id AS order_id, o.order_no, o.root_id, r.remark_key_id, r.user_remark, rk.shop_key_id AS remark_shop_key_id,
    rk.wrapped AS remark_wrapped, a.key_id, a.ciphertext, k.shop_key_id, k.wrapped,
    coalesce(a.modify_count, 0)::integer AS address_changes
FROM orders o JOIN orders r ON r.id BETWEEN $2::bigint AND $3::bigint AND r.id = o.root_id
    LEFT JOIN user_keys rk ON rk.key_id = r.remark_key_id
    LEFT JOIN order_addresses a ON a.order_id BETWEEN $2::bigint AND $3::bigint AND a.order_id = o.id
    LEFT JOIN user_keys k ON k.key_id = a.key_id
WHERE o.id BETWEEN $2::bigint AND $3::bigint AND o.id = ANY ($1::bigint[])
ORDER BY o.id;

-- name: fulfilments.save
-- Writes hand-overs, new ones too, of orders that are locked: $1 order ids, $2 warehouses, $3 states, $4 numbers, $5 units, $6 address
-- changes, $7 numbers of cancellations, $8 refs, $9 reason codes; $10 the time. Then the steps of their history: $11 order ids, $12
-- warehouses, $13 states before, $14 states after, $15 numbers, $16 message types, $17 message ids, $18 reason codes, $19 when it happened.
WITH logged AS (
    INSERT INTO fulfilment_steps (order_id, warehouse, pre_state, cur_state, number, cause_type, cause_id, reason_code, happened_at)
    SELECT * FROM unnest($11::bigint[], $12::text[], $13::text[], $14::text[], $15::integer[], $16::text[], $17::text[], $18::text[],
        $19::timestamptz[])
)
INSERT INTO fulfilments (order_id, warehouse, state, number, units, address_changes, cancel_no, ref, reason_code, requested_at, updated_at)
SELECT n.order_id, n.warehouse, n.state, n.number, n.units, n.address_changes, n.cancel_no, n.ref, n.reason_code, $10, $10
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::text[], $9::text[])
    AS n (order_id, warehouse, state, number, units, address_changes, cancel_no, ref, reason_code)
ON CONFLICT (order_id, warehouse) DO UPDATE
SET state = excluded.state, number = excluded.number, units = excluded.units, address_changes = excluded.address_changes,
    cancel_no = excluded.cancel_no, ref = excluded.ref, reason_code = excluded.reason_code, updated_at = excluded.updated_at,
    requested_at = CASE WHEN excluded.number > fulfilments.number THEN excluded.requested_at ELSE fulfilments.requested_at END;
