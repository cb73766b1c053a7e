-- Reads for people and for the source documents' views, and the record of who saw an address. No statement here locks anything.

-- name: order_view.find
-- $1 names, $2 the id that each name may be, or null. The ids of the orders; an id wins over an order number that looks like it.
SELECT n.name, o.id
FROM unnest($1::text[], $2::bigint[]) AS n (name, key)
CROSS JOIN LATERAL (
    SELECT id FROM orders WHERE id = n.key
    UNION ALL
    SELECT m.order_id FROM order_numbers m WHERE m.order_no = n.name AND EXISTS (SELECT FROM orders r WHERE r.id = m.order_id OFFSET 0)
    LIMIT 1
) AS o;

-- name: order_view.order
-- $1 order ids. Their rows, without the encrypted columns. Unknown ids are missing.
SELECT id, order_uuid::text AS order_uuid, root_id, parent_id, kind, order_no, request_id, user_id, seller_id, channel, source,
    business_type, order_type, business_order_id, state, version, cancel_type, reason_code, currency, origin_amount, promotion_amount,
    coupon_amount, points_amount, adjustment_amount, shipping_fee, box_fee, tax_amount, payable_amount, captured_amount,
    refunded_amount, coupon_id, use_points, gift_points, gift_growth, quota_units, intent_id, user_remark IS NOT NULL AS remarked,
    deleted, commented, held, ext::text AS ext, created_at, updated_at, expire_at, paid_at, shipped_at, delivered_at, completed_at,
    cancelled_at, coalesce((policy ->> 'ship_within_seconds')::integer, 0) AS ship_within_seconds, policy ->> 'ship_cutoff' AS ship_cutoff,
    policy ->> 'ship_time_zone' AS ship_time_zone, (policy -> 'ship_hours')::text AS ship_hours,
    reserved, reserved_by, reserved_since, not_taken_at, (SELECT count(*) FROM after_sales c WHERE c.order_id = orders.id) AS cases,
    (policy ->> 'buying_group')::bigint AS group_key
FROM orders
LEFT JOIN LATERAL (
    SELECT a.state AS reserved, a.provider AS reserved_by, a.updated_at AS reserved_since, a.not_taken_at
    FROM payment_authorizations a
    WHERE a.order_id = orders.root_id AND a.verdict = 'kept'
    OFFSET 0
) AS r ON true
WHERE id = ANY($1::bigint[])
ORDER BY id;

-- name: order_view.groups
-- $1 keys of groups of buyers, each with the states of its orders. A group that ended long ago is missing.
SELECT g.id, g.group_id, g.size, g.deadline, g.state, g.spu_id, g.ended_at,
    ARRAY(SELECT o.state FROM buying_group_orders m CROSS JOIN LATERAL (SELECT state FROM orders f WHERE f.id = m.order_id OFFSET 0) AS o
          WHERE m.group_key = g.id) AS order_states
FROM buying_groups g
WHERE g.id = ANY($1::bigint[]);

-- name: order_view.parent
-- $1 order ids. The orders that these were split from.
SELECT c.id AS order_id, p.id, p.order_no, p.state, p.payable_amount FROM orders c JOIN orders p ON p.id = c.parent_id WHERE c.id = ANY($1::bigint[]);

-- name: order_view.children
-- $1 order ids. The orders that these were split into.
SELECT c.parent_id AS order_id, c.id, c.order_no, c.seller_id, c.state, c.payable_amount, c.refunded_amount,
    ARRAY(SELECT i.line_no || 'x' || i.qty FROM order_items i WHERE i.order_id = c.id ORDER BY i.line_no) AS units
FROM orders c
WHERE c.root_id = ANY($1::bigint[]) AND c.root_id <> c.id AND c.parent_id = c.root_id
ORDER BY c.id;

-- name: order_view.items
-- $1 ids of an order and of its children.
SELECT order_id, line_no, sku_id, spu_id, name, product_type, category_id, seller_id, warehouse, qty, unit_price, origin_amount,
    promotion_id, promotion_revision, promotion_text, promotion_amount, coupon_amount, points_amount, tax_amount, shipping_share,
    payable_amount, adjustment_amount, shipping_adjustment, quota_units, gift_points, gift_growth, refunded_qty, refunded_amount, short_qty,
    cancelled_qty, purchase_price
FROM order_items
WHERE order_id = ANY($1::bigint[])
ORDER BY line_no;

-- name: order_view.snapshots
-- $1 order ids. Each order's own copies of coupon, amounts, lines and rules, as JSON.
SELECT order_id, type, data::text AS data, created_at FROM snapshots WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, type;

-- name: order_view.address
-- $1 order ids. Their addresses as ciphertext, with the id of the key, and the user's data key unless that was erased.
SELECT a.order_id, a.country, a.key_id, a.ciphertext, a.modify_count, k.shop_key_id, k.wrapped
FROM order_addresses a LEFT JOIN user_keys k ON k.key_id = a.key_id
WHERE a.order_id = ANY($1::bigint[]);

-- name: order_view.payments
-- $1 order ids. Every payment fact with its verdict, and the order's part of it: a capture may have paid the order's parent, or
-- several merged orders. What was released of an authorisation is no part of it. The
-- disputes about it are JSON, with when their providers got evidence.
SELECT o.id AS order_id, f.provider, f.trade_no, f.kind, f.amount, CASE WHEN f.verdict = 'kept' THEN o.payable_amount - r.amount ELSE f.amount END AS part,
    f.currency, f.intent_id, f.verdict, f.reason_code, f.occurred_at, f.recorded_at,
    (SELECT json_agg(to_jsonb(d) || jsonb_build_object('submitted',
            ARRAY(SELECT e.submitted_at FROM dispute_evidence e
                WHERE e.dispute_id = d.id AND e.state IN ('recorded', 'accepted') ORDER BY e.number)) ORDER BY d.id)::text
        FROM payment_disputes d
        WHERE d.provider = f.provider AND d.trade_no = f.trade_no AND f.kind = 'captured') AS disputes
FROM orders o
JOIN payment_facts f ON f.order_id = o.id OR (f.intent_id = o.intent_id AND f.verdict = 'kept')
CROSS JOIN LATERAL (
    SELECT coalesce(sum(m.amount), 0)::bigint AS amount
    FROM refunds m
    WHERE m.order_id = ANY(ARRAY(SELECT c.id FROM orders c WHERE c.root_id = o.id AND c.root_id <> c.id) || o.id) AND m.state = 'released'
) AS r
WHERE o.id = ANY($1::bigint[])
ORDER BY f.recorded_at, f.trade_no, f.kind;

-- name: order_view.refunds
-- $1 ids of an order and of its children.
SELECT order_id, refund_no, cause, provider, trade_no, amount, excess_amount, currency, state, reason_code, requested_at,
    finished_at, replaces, case_id
FROM refunds WHERE order_id = ANY($1::bigint[]) ORDER BY requested_at, id;

-- name: order_view.cases
-- $1 order ids. Their after-sale cases, the oldest first, with their lines as JSON.
SELECT c.id, c.case_no, c.order_id, c.type, c.source, c.reason_code, c.merchant_fault, c.requested_at, c.state, c.version,
    c.evidence::text AS evidence, c.granted_amount, c.refund_amount, c.carrier, c.tracking_no, c.processed_at, c.completed_at,
    c.received_at, c.parcel_id, c.balance_amount,
    (SELECT json_agg(to_jsonb(l) - 'case_id' || jsonb_build_object(
        'sending_qty', coalesce(b.qty, 0), 'sent_qty', CASE WHEN b.sent_at IS NULL THEN 0 ELSE b.qty END) ORDER BY l.line_no)::text
     FROM after_sale_lines l
     LEFT JOIN LATERAL (
         SELECT s.qty, s.sent_at FROM after_sale_send_backs s WHERE s.case_id = l.case_id AND s.line_no = l.line_no OFFSET 0) AS b ON true
     WHERE l.case_id = c.id) AS lines
FROM after_sales c
WHERE c.order_id = ANY($1::bigint[])
ORDER BY c.id;

-- name: order_view.exchanges
-- $1 order ids. The exchange orders of their after-sale cases, and those of them that are exchange orders, the oldest first.
SELECT n.named_id, n.order_id, o.order_no, o.state, n.stage, o.created_at AS placed_at, o.expire_at, n.case_id, n.case_no,
    n.case_state, n.first_order_id, f.order_no AS first_order_no
FROM (
    SELECT c.order_id AS named_id, e.order_id, e.state AS stage, c.id AS case_id, c.case_no, c.state AS case_state, e.first_order_id
    FROM after_sales c CROSS JOIN LATERAL (SELECT * FROM exchange_orders x WHERE x.case_id = c.id OFFSET 0) AS e
    WHERE c.order_id = ANY($1::bigint[])
    UNION ALL
    SELECT e.order_id, e.order_id, e.state, e.case_id, c.case_no, c.state, e.first_order_id
    FROM exchange_orders e CROSS JOIN LATERAL (SELECT case_no, state FROM after_sales k WHERE k.id = e.case_id OFFSET 0) AS c
    WHERE e.order_id = ANY($1::bigint[])
) AS n
CROSS JOIN LATERAL (SELECT order_no, state, created_at, expire_at FROM orders r WHERE r.id = n.order_id OFFSET 0) AS o
CROSS JOIN LATERAL (SELECT order_no FROM orders r WHERE r.id = n.first_order_id OFFSET 0) AS f
ORDER BY n.named_id, n.order_id;

-- name: order_view.case_steps
-- $1 order ids. Every step of their after-sale cases, those of each case in their order.
SELECT c.order_id, s.case_id, c.case_no, s.version, s.trigger, s.pre_state, s.cur_state, s.actor_type, s.actor_id, s.cause_type, s.cause_id,
    s.reason_code, s.at
FROM after_sales c JOIN after_sale_steps s ON s.case_id = c.id
WHERE c.order_id = ANY($1::bigint[]) ORDER BY s.case_id, s.version;

-- name: order_view.shipments
-- $1 ids of an order and of its children. Their parcels, with all orders in them, lines and units of these, and the facts that moved
-- them. Units that an order withdrew are left out.
SELECT ARRAY(SELECT DISTINCT i.order_id FROM shipment_items i WHERE i.shipment_id = s.id ORDER BY i.order_id) AS order_ids, s.carrier, s.tracking_no, s.case_id, s.to_buyer, s.state, s.delayed,
    s.booked_at, s.outbound_at, s.delivered_at,
    ARRAY(SELECT i.line_no || 'x' || i.qty FROM shipment_items i
          WHERE i.shipment_id = s.id AND i.order_id = ANY($1::bigint[]) AND NOT i.withdrawn ORDER BY i.line_no) AS units,
    ARRAY(SELECT f.status || CASE WHEN f.stale THEN '(stale)' ELSE '' END FROM shipment_facts f
          WHERE f.shipment_id = s.id ORDER BY f.recorded_at, f.event_id) AS facts
FROM shipments s
WHERE s.id = ANY(ARRAY(SELECT m.shipment_id FROM shipment_items m WHERE m.order_id = ANY($1::bigint[])))
ORDER BY s.id;

-- name: order_view.parcels
-- $1 order ids. Their parcels, each with the order's own lines in them and the units of each. Units that it withdrew are left out, unless it
-- withdrew all: to the order, such a parcel is cancelled.
SELECT s.id, i.order_id, s.carrier, s.tracking_no, CASE WHEN bool_and(i.withdrawn) THEN 'cancelled' ELSE s.state END AS state,
    s.delayed, s.booked_at, s.outbound_at, s.delivered_at, bool_or(i.given_up) AS given_up, s.ended, s.case_id, s.to_buyer,
    coalesce(array_agg(i.line_no ORDER BY i.line_no) FILTER (WHERE NOT i.withdrawn), '{}') AS line_nos,
    coalesce(array_agg(i.qty ORDER BY i.line_no) FILTER (WHERE NOT i.withdrawn), '{}') AS qtys
FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id
WHERE i.order_id = ANY($1::bigint[]) AND s.id = ANY(ARRAY(SELECT m.shipment_id FROM shipment_items m WHERE m.order_id = ANY($1::bigint[])))
GROUP BY s.id, i.order_id
ORDER BY s.id;

-- name: order_view.stock
-- $1 ids of an order and of its children. The state of their holders in stock. No rows if stock has its own database.
SELECT h.holder_id AS order_id, h.state, l.op, l.sku_id, l.warehouse, l.qty, l.ref, l.at
FROM stock_holders h LEFT JOIN stock_ledger l ON l.holder_id = h.holder_id
WHERE h.holder_id = ANY($1::bigint[]) ORDER BY l.at, l.op, l.sku_id;

-- name: order_view.coupons
-- $1 order id. The ledger of the coupon of the order, or of the order it was split from.
SELECT l.coupon_id, l.op, l.at
FROM orders o
JOIN orders r ON r.id = o.root_id
JOIN coupon_ledger l ON l.coupon_id = r.coupon_id AND l.order_id = r.id
WHERE o.id = $1 ORDER BY l.at, l.op;

-- name: order_view.points
-- $1 order id. The ledger of the points that paid for the order, or for the order it was split from, and of those it earned.
SELECT l.op, l.points, l.growth, l.ref, l.at
FROM orders o
JOIN points_ledger l ON l.order_id IN (o.id, o.root_id)
WHERE o.id = $1 ORDER BY l.at, l.op;

-- name: order_view.promotions
-- $1 order id. The units that the order, or the order it was split from, bought at a limited price.
SELECT u.promo_id, u.units, u.used_at, u.returned_at
FROM orders o JOIN promotion_uses u ON u.order_id = o.root_id
WHERE o.id = $1 ORDER BY u.promo_id;

-- name: order_view.log
-- $1 order ids. Their operate logs, oldest first, with what a step took off the price.
SELECT l.order_id, l.version, l.operate_type, l.pre_state, l.cur_state, l.remark, l.actor_type, l.actor_id, l.cause_type, l.cause_id, l.at,
    (SELECT a.amount FROM order_adjustments a WHERE a.order_id = l.order_id AND a.version = l.version AND a.line_no = 0) AS discount
FROM operate_logs l WHERE l.order_id = ANY($1::bigint[]) ORDER BY l.order_id, l.version;

-- name: order_view.history
-- $1 order ids. All that was done with them, in order: their own steps, each before the steps of cases and the refunds of stray payments that
-- followed it.
SELECT e.order_id, e.version, e.operate_type, e.pre_state, e.cur_state, e.remark, e.actor_type, e.actor_id, e.cause_type, e.cause_id, e.at,
    e.case_id, e.case_no, e.case_state, e.refund_no,
    (SELECT a.amount FROM order_adjustments a
     WHERE a.order_id = e.order_id AND a.version = e.version AND a.line_no = 0 AND e.operate_type = 110) AS discount
FROM operate_log_entries e
WHERE e.order_id = ANY($1::bigint[])
ORDER BY e.order_id, e.version, e.case_id IS NOT NULL OR e.refund_no IS NOT NULL, e.at, e.case_id, e.case_version;

-- name: order_view.timers
-- $1 order ids. Their timers, the next first.
SELECT key AS order_id, kind, due_at, wake_at, wakes
FROM timers WHERE kind = ANY ('{saga,payment,receipt,shortage,cancelling,cancellation}') AND key = ANY($1::bigint[]) ORDER BY due_at;

-- name: order_view.outbox
-- $1 root order id as text, $2 its shard. Its events that are not published yet.
SELECT o.id, o.type, o.destination, o.routing_key, o.created_at, o.held_reason AS held_because
FROM unpublished o
WHERE o.shard = $2 AND o.stream = $1 ORDER BY o.id;

-- name: order_view.dead_letters
-- $1 order ids. Dead letters that name one of them or a payment of it, or lead back to the command that placed it.
SELECT d.id, d.queue, d.type, d.reason, d.error_type, d.error_path, d.attempts, d.repeats, d.state, d.died_at
FROM dead_letters d
WHERE d.id = ANY(ARRAY(
    SELECT l.id FROM dead_letters l WHERE l.about && letter_names($1::bigint[])
    UNION
    SELECT l.id FROM orders o JOIN dead_letters l ON l.correlation_id = o.conversation_id WHERE o.id = ANY($1::bigint[])))
ORDER BY d.died_at, d.id;

-- name: order_view.holds
-- $1 order ids. Their holds, open and released, the oldest first.
SELECT id AS hold_id, order_id, kind, reason_code, placed_at, placed_by_type, placed_by, held_since, released_at, released_by_type, released_by,
    release_reason_code
FROM order_holds WHERE order_id = ANY($1::bigint[]) ORDER BY placed_at, id;

-- name: order_view.hand_overs
-- $1 order ids. What each of their warehouses was requested to ship, and how far it is.
SELECT order_id, warehouse, state, number, units, cancel_no, ref, reason_code, requested_at, updated_at
FROM fulfilments WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, warehouse;

-- name: order_view.waybills
-- $1 order ids. The parcels that we book at their carriers ourselves, and what the carriers answered.
SELECT n.order_id, w.id AS waybill_id, w.carrier, w.state, w.tracking_no, w.ship_time, w.refusal, w.requested_at, w.answered_at
FROM waybills w CROSS JOIN LATERAL unnest(w.order_ids) AS n (order_id)
WHERE w.order_ids && $1::bigint[] AND n.order_id = ANY($1::bigint[]) ORDER BY w.requested_at, w.id;

-- name: order_view.notifications
-- $1 order ids. The notifications to their buyers, which are found by the user.
SELECT n.order_id, n.id AS notification_id, n.medium, n.kind, n.state, n.reason, n.attempts, n.created_at, n.ended_at
FROM buyer_notifications n
WHERE n.user_id = ANY(ARRAY(SELECT o.user_id FROM orders o WHERE o.id = ANY($1::bigint[]))) AND n.order_id = ANY($1::bigint[])
ORDER BY n.id;

-- name: order_view.hand_over_steps
-- $1 order ids. Every step of their hand-overs, the oldest first.
SELECT order_id, warehouse, pre_state, cur_state, number, cause_type, cause_id, reason_code, happened_at, at
FROM fulfilment_steps WHERE order_id = ANY($1::bigint[]) ORDER BY at, id;

-- name: order_view.commands
-- $1 order ids, $2 the scopes of commands about one order, with {order_id}, {actor.type} and {actor.id}. The commands that placed the orders,
-- and those about them from their users and from the actors who moved or held them, with the outcome of each.
SELECT o.id AS order_id, c.type, replace(c.request_id, E'\x1f', ' by ') AS request_id, c.message_id, c.received_at, c.decided_at,
    c.outcome_type, c.outcome ->> 'code' AS code
FROM orders o
CROSS JOIN LATERAL (
    SELECT DISTINCT replace(replace(replace(t.scope, '{order_id}', o.id::text), '{actor.type}', a.type), '{actor.id}', a.id) AS scope
    FROM unnest($2::text[]) AS t (scope)
    CROSS JOIN (SELECT 'user' AS type, o.user_id AS id
        UNION SELECT l.actor_type, l.actor_id FROM operate_logs l WHERE l.order_id = o.id
        UNION SELECT h.placed_by_type, h.placed_by FROM order_holds h WHERE h.order_id = o.id
        UNION SELECT h.released_by_type, h.released_by FROM order_holds h WHERE h.order_id = o.id AND h.released_by IS NOT NULL) AS a
) AS s
CROSS JOIN LATERAL (SELECT * FROM commands k WHERE k.scope = s.scope OFFSET 0) AS c
WHERE o.id = ANY($1::bigint[])
UNION ALL
SELECT o.id, c.type, c.request_id, c.message_id, c.received_at, c.decided_at, c.outcome_type, c.outcome ->> 'code'
FROM orders o
CROSS JOIN LATERAL (
    SELECT * FROM commands k WHERE k.scope = 'order.create:' || o.user_id AND k.request_id = o.request_id OFFSET 0
) AS c
WHERE o.id = ANY($1::bigint[]) AND o.parent_id IS NULL
ORDER BY received_at;

-- name: order_view.reveals
-- $1 order ids. Who saw their addresses in clear, when and why.
SELECT order_id, what, actor, note, reason, at FROM address_accesses WHERE order_id = ANY($1::bigint[]) ORDER BY at, id;
