-- name: repairs.lock
-- $1 order ids. Locks: the orders, roots first, so that none changes between the plan and what is announced for it.
SELECT id FROM orders WHERE id = ANY ($1::bigint[]) ORDER BY root_id, id FOR UPDATE;

-- name: repairs.stock
-- Orders whose stock may be behind. $1 order ids (null: all), $2 seconds for which an order must not have changed, because its message
-- may be under way. Units that were short are deducted as if they had left. Children hold stock, their parent none. No row if stock has a database of its own. Locks: none.
WITH parcels AS (
    SELECT i.order_id, bool_or(s.state NOT IN ('booked', 'cancelled') AND NOT i.withdrawn) AS any_left, max(f.recorded_at) AS at
    FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id LEFT JOIN shipment_facts f ON f.shipment_id = s.id
    WHERE s.case_id IS NULL AND ($1::bigint[] IS NULL OR i.order_id = ANY ($1))
    GROUP BY i.order_id
), inspected AS (
    SELECT c.order_id, max(p.at) AS at FROM after_sales c JOIN after_sale_steps p ON p.case_id = c.id
    WHERE $1::bigint[] IS NULL OR c.order_id = ANY ($1)
    GROUP BY c.order_id
), orders_with_stock AS (
    SELECT o.id, o.order_no, o.state, o.paid_at IS NOT NULL AS paid, coalesce(o.policy ->> 'deduct_on', 'pay') AS deduct_on,
        coalesce(p.any_left, false) OR EXISTS (
            SELECT FROM dropped_units d WHERE d.order_id = o.id AND d.kind = 'short') AS any_left, h.state AS holder, greatest(o.updated_at, p.at, c.at) AS changed_at
    FROM orders o LEFT JOIN stock_holders h ON h.holder_id = o.id LEFT JOIN parcels p ON p.order_id = o.id
        LEFT JOIN inspected c ON c.order_id = o.id
    WHERE o.kind <> 'split_parent' AND o.state NOT IN ('placing', 'reinstating') AND ($1::bigint[] IS NULL OR o.id = ANY ($1))
        AND EXISTS (SELECT FROM stock_holders)
)
SELECT id, order_no, state, paid, deduct_on, any_left, holder, changed_at
FROM orders_with_stock
WHERE changed_at <= now() - make_interval(secs => $2::float8)
    AND (holder = 'reserved' OR (holder IS NULL AND state IN ('cancelled', 'rejected'))
        OR (holder = 'committed' AND (state = 'cancelled' OR any_left)))
ORDER BY id;

-- name: repairs.restocks
-- $1 order ids. What the ledger must have put back of each: `cancel` the units of a cancelled order that never left, `parcel:ID` those
-- of a parcel that came back and never arrived, `rest:VERSION` those that were cancelled after others had left, `case:ID:VERSION` what an
-- inspection accepted. Refs that the ledger has are left out. Locks: none.
WITH packed AS (
    SELECT i.order_id, i.line_no, sum(i.qty) AS qty
    FROM shipment_items i JOIN shipments s ON s.id = i.shipment_id
    WHERE i.order_id = ANY ($1::bigint[]) AND s.state NOT IN ('booked', 'cancelled') AND NOT i.withdrawn AND s.case_id IS NULL
    GROUP BY i.order_id, i.line_no
), due AS (
    SELECT i.order_id, 'cancel' AS ref, i.sku_id, i.warehouse, 'restock' AS op, sum(i.qty - i.short_qty - i.cancelled_qty - coalesce(p.qty, 0)) AS qty
    FROM order_items i JOIN orders o ON o.id = i.order_id LEFT JOIN packed p USING (order_id, line_no)
    WHERE i.order_id = ANY ($1) AND o.state = 'cancelled'
    GROUP BY i.order_id, i.sku_id, i.warehouse
    UNION ALL
    SELECT i.order_id, 'parcel:' || s.id, l.sku_id, l.warehouse, 'restock', sum(i.qty)
    FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id
        JOIN order_items l ON l.order_id = i.order_id AND l.line_no = i.line_no
    WHERE i.order_id = ANY ($1) AND s.state = 'returned' AND s.delivered_at IS NULL AND NOT i.withdrawn AND s.case_id IS NULL
    GROUP BY i.order_id, s.id, l.sku_id, l.warehouse
    UNION ALL
    SELECT d.order_id, d.ref, l.sku_id, l.warehouse, 'restock', sum(d.qty)
    FROM dropped_units d JOIN order_items l USING (order_id, line_no)
    WHERE d.order_id = ANY ($1) AND d.kind = 'cancelled'
    GROUP BY d.order_id, d.ref, l.sku_id, l.warehouse
    UNION ALL
    SELECT c.order_id, 'case:' || c.id || ':' || n.version, l.sku_id, l.warehouse,
        CASE n.disposition WHEN 'lost' THEN 'write_off' ELSE n.disposition END AS op, sum(n.qty)
    FROM after_sales c JOIN after_sale_inspections n ON n.case_id = c.id
        JOIN order_items l ON l.order_id = c.order_id AND l.line_no = n.line_no
    WHERE c.order_id = ANY ($1) AND n.disposition <> 'send_back'
    GROUP BY c.order_id, c.id, n.version, l.sku_id, l.warehouse, op
)
SELECT order_id, ref, sku_id, warehouse, op, qty::integer AS qty
FROM due d
WHERE qty > 0 AND NOT EXISTS (
    SELECT FROM stock_ledger g WHERE g.holder_id = d.order_id AND g.op IN ('restock', 'quarantine', 'write_off') AND g.ref = d.ref)
ORDER BY order_id, ref, sku_id, warehouse, op;

-- name: repairs.timers
-- Waits without their timer. $1 order ids (null: all), $2 seconds until the saga's deadline, $3 seconds of the receipt window, $4
-- carriers that are polled. Until they are paid, children share the timers of their parent. The case of an exchange order that has its stock ends it. Locks: none.
SELECT w.kind, w.key, w.order_id, o.order_no, o.state, w.due_at
FROM (
    SELECT 'saga' AS kind, id AS key, id AS order_id, created_at + make_interval(secs => $2::float8) AS due_at
    FROM orders o WHERE state = 'placing' AND kind <> 'split_child'
        AND NOT (kind = 'exchange' AND EXISTS (SELECT FROM exchange_orders e WHERE e.order_id = o.id AND e.state <> 'reserving'))
    UNION ALL
    SELECT 'saga', id, id, updated_at + make_interval(secs => $2::float8) FROM orders WHERE state = 'reinstating' AND kind <> 'split_child'
    UNION ALL
    SELECT 'payment', id, id, expire_at FROM orders WHERE state = 'awaiting_payment' AND kind <> 'split_child'
    UNION ALL
    SELECT 'receipt', id, id, delivered_at + make_interval(secs => $3::float8) FROM orders WHERE state = 'delivered'
    UNION ALL
    SELECT 'shortage', order_id, order_id, now() FROM order_holds WHERE kind = 'shortage' AND released_at IS NULL
    UNION ALL
    SELECT 'cancelling', id, id, now() FROM orders WHERE state = 'cancelling'
    UNION ALL
    SELECT 'waybill', id, order_id, now() FROM waybills WHERE state IN ('requested', 'unused')
    UNION ALL
    SELECT 'waybill', w.id, w.order_id, now()
    FROM waybills w JOIN shipments s ON s.id = w.id WHERE w.state = 'booked' AND NOT s.ended AND w.carrier = ANY ($4::text[])
    UNION ALL
    SELECT 'attempt', id, order_id, now() FROM payment_attempts WHERE state IN ('created', 'requested', 'unknown', 'closing')
    UNION ALL
    SELECT 'refund', r.id, r.order_id, now()
    FROM refunds r
    WHERE r.state IN ('submitted', 'unknown') OR (r.state = 'requested'
        AND EXISTS (SELECT FROM payment_attempts a WHERE a.provider = r.provider AND a.trade_no = r.trade_no))
    UNION ALL
    SELECT 'group', g.id, min(m.order_id) FILTER (WHERE $1::bigint[] IS NULL OR m.order_id = ANY ($1)), g.deadline
    FROM buying_groups g JOIN buying_group_orders m ON m.group_key = g.id WHERE g.state = 'open' GROUP BY g.id, g.deadline
) AS w
JOIN orders o ON o.id = w.order_id
WHERE ($1::bigint[] IS NULL OR w.order_id = ANY ($1))
    AND NOT EXISTS (SELECT FROM timers t WHERE t.kind = w.kind AND t.key = w.key)
ORDER BY w.order_id, w.kind, w.key;

-- name: repairs.groups
-- Orders that do not know what became of their group of buyers, and one order of each group that does not know that it is full of paid ones.
-- $1 order ids (null: all), $2 seconds for which nothing may have changed, because a message may be under way. Locks: none.
WITH seats AS (
    SELECT g.id AS key, g.group_id, g.state AS group_state, g.size, o.id AS order_id, o.order_no, o.state, greatest(o.updated_at, g.ended_at) AS since
    FROM buying_groups g JOIN buying_group_orders m ON m.group_key = g.id JOIN orders o ON o.id = m.order_id
    WHERE o.state NOT IN ('cancelled', 'rejected')
), behind AS (
    SELECT key, order_id, since
    FROM seats s
    WHERE ($1::bigint[] IS NULL OR order_id = ANY ($1)) AND (group_state = 'failed' OR (group_state = 'formed' AND EXISTS (
        SELECT FROM order_holds h WHERE h.order_id = s.order_id AND h.kind = 'group' AND h.released_at IS NULL)))
    UNION ALL
    SELECT key, min(order_id) FILTER (WHERE $1::bigint[] IS NULL OR order_id = ANY ($1)), max(since)
    FROM seats
    WHERE group_state = 'open' AND state NOT IN ('placing', 'awaiting_payment', 'reinstating')
    GROUP BY key, size HAVING count(*) >= size
)
SELECT s.key, s.group_id, s.group_state, s.order_id, s.order_no, s.state, b.since
FROM behind b JOIN seats s USING (key, order_id)
WHERE b.since <= now() - make_interval(secs => $2::float8)
ORDER BY s.order_id;

-- name: repairs.record
-- $1 order ids, $2 what each was owed, $3 message ids (null for a timer), $4 who, $5 why.
INSERT INTO repairs (order_id, owed, message_id, note, reason)
SELECT order_id, owed, message_id, $4, $5 FROM unnest($1::bigint[], $2::text[], $3::text[]) AS r (order_id, owed, message_id);
