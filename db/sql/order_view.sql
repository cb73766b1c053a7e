-- name: order_view.find
-- $1 an order's id or number. Locks: none. What on-call may see of it: no ciphertext.
SELECT id, root_id, parent_id, kind, order_no, request_id, user_id, channel, source, business_type, state, version, cancel_type,
    reason, currency, origin_amount, shipping_fee, payable_amount, captured_amount, refunded_amount, intent_id, deleted,
    created_at, expire_at, paid_at, shipped_at, delivered_at, completed_at, cancelled_at
FROM orders
WHERE order_no = $1 OR id = CASE WHEN $1 ~ '^[0-9]{1,19}$' AND $1::numeric < 9223372036854775808 THEN $1::bigint END
LIMIT 1;

-- name: order_view.items
-- $1 order id.
SELECT line_no, sku_id, name, warehouse, qty, unit_price, payable_amount, refunded_qty, refunded_amount
FROM order_items WHERE order_id = $1 ORDER BY line_no;

-- name: order_view.address
-- $1 order id. Ciphertext with the id of its key.
SELECT country, key_id, ciphertext, modify_count FROM order_addresses WHERE order_id = $1;

-- name: order_view.payments
-- $1 order id. Every payment fact, as it was judged.
SELECT channel, trade_no, kind, amount, currency, verdict, reason, occurred_at, recorded_at
FROM payment_facts WHERE order_id = $1 ORDER BY recorded_at, trade_no, kind;

-- name: order_view.refunds
-- $1 order id.
SELECT refund_no, cause, channel, trade_no, amount, currency, state, reason, requested_at, finished_at
FROM refunds WHERE order_id = $1 ORDER BY requested_at, id;

-- name: order_view.shipments
-- $1 order id. Parcels with what is in them (line x units) and the facts that moved them.
SELECT s.carrier, s.tracking_no, s.state, s.delayed, s.booked_at, s.outbound_at, s.delivered_at,
    ARRAY(SELECT i.line_no || 'x' || i.qty FROM shipment_items i WHERE i.shipment_id = s.id ORDER BY i.line_no) AS units,
    ARRAY(SELECT f.status || CASE WHEN f.stale THEN '(stale)' ELSE '' END FROM shipment_facts f
          WHERE f.carrier = s.carrier AND f.tracking_no = s.tracking_no ORDER BY f.recorded_at, f.event_id) AS facts
FROM shipments s WHERE s.order_id = $1 ORDER BY s.id;

-- name: order_view.stock
-- $1 order id. What stock says it holds; nothing where stock has a database of its own.
SELECT h.state, l.op, l.sku_id, l.warehouse, l.qty, l.ref, l.at
FROM stock_holders h LEFT JOIN stock_ledger l ON l.holder_id = h.holder_id
WHERE h.holder_id = $1 ORDER BY l.at, l.op, l.sku_id;

-- name: order_view.log
-- $1 order id.
SELECT version, pre_state, cur_state, remark, actor_type, actor_id, cause_type, cause_id, at
FROM operate_logs WHERE order_id = $1 ORDER BY version;

-- name: order_view.timers
-- $1 order id.
SELECT kind, due_at, wake_at, wakes FROM timers WHERE kind = ANY ('{saga,payment,receipt}') AND key = $1 ORDER BY due_at;

-- name: order_view.outbox
-- $1 root order id as text, $2 its shard. Events that are not published yet.
SELECT o.id, o.type, o.destination, o.routing_key, o.created_at, h.reason AS held_because
FROM outbox o LEFT JOIN outbox_holds h ON h.stream = o.stream
WHERE o.shard = $2 AND o.stream = $1 ORDER BY o.id;

-- name: order_view.dead_letters
-- $1 order id. Letters of messages that began with the command that placed the order.
SELECT d.id, d.queue, d.type, d.reason, d.state, d.died_at
FROM dead_letters d
WHERE d.correlation_id IN (
    SELECT c.correlation_id FROM commands c JOIN orders o ON c.scope = 'order.create:' || o.user_id AND c.request_id = o.request_id
    WHERE o.id = $1)
ORDER BY d.died_at;
