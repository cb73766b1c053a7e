-- name: audit.stock_counters
-- INV-01. Every audit statement answers with one row: how many violations, and the first five of them. Locks: none.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (SELECT sku_id || '@' || warehouse AS id FROM stock WHERE NOT (0 <= locked AND locked <= on_hand)) AS bad;

-- name: audit.stock_ledger
-- INV-02. A counter without a ledger is a violation too, and so is a ledger without a counter.
WITH folded AS (
    SELECT sku_id, warehouse,
        sum(CASE WHEN op IN ('receive', 'adjust', 'restock', 'clear', 'transfer_in') THEN qty WHEN op IN ('commit', 'transfer_out') THEN -qty ELSE 0 END) AS on_hand,
        sum(CASE op WHEN 'reserve' THEN qty WHEN 'commit' THEN -qty WHEN 'release' THEN -qty ELSE 0 END) AS locked,
        sum(CASE WHEN op = 'quarantine' THEN qty WHEN op IN ('clear', 'discard') THEN -qty ELSE 0 END) AS quarantined
    FROM stock_ledger
    GROUP BY sku_id, warehouse
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT sku_id || '@' || warehouse AS id
    FROM stock s FULL JOIN folded f USING (sku_id, warehouse)
    WHERE (coalesce(s.on_hand, 0), coalesce(s.locked, 0), coalesce(s.quarantined, 0))
        <> (coalesce(f.on_hand, 0), coalesce(f.locked, 0), coalesce(f.quarantined, 0))
) AS bad;

-- name: audit.stock_transfers
-- INV-02. Units that left one warehouse for another arrived there: both entries name each other's warehouse in their ref.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT sku_id || ' ' || origin || ' to ' || target AS id
    FROM (SELECT sku_id, warehouse AS origin, split_part(ref, ':', 1) AS target, substr(ref, strpos(ref, ':')) AS request, qty
          FROM stock_ledger WHERE op = 'transfer_out') AS o
    FULL JOIN (SELECT sku_id, split_part(ref, ':', 1) AS origin, warehouse AS target, substr(ref, strpos(ref, ':')) AS request, qty
          FROM stock_ledger WHERE op = 'transfer_in') AS i USING (sku_id, origin, target, request)
    WHERE o.qty IS DISTINCT FROM i.qty
) AS bad;

-- name: audit.stock_holds
-- INV-03. Holder 0 stands for goods that arrive, for corrections and for ends of quarantines, which no order holds. What came back is
-- sellable, in quarantine or written off, and never more than left.
-- The entries of each turn of a holder have a ref of their own; a turn before its last one was released.
WITH held AS (
    SELECT l.holder_id, l.sku_id, l.warehouse, s.state, e.ref = k.ref AS last,
        count(*) FILTER (WHERE op = 'reserve') AS reserves,
        count(*) FILTER (WHERE op IN ('commit', 'release')) AS ends,
        coalesce(sum(qty) FILTER (WHERE op = 'reserve'), 0) AS reserved,
        coalesce(sum(qty) FILTER (WHERE op = 'commit'), 0) AS committed,
        coalesce(sum(qty) FILTER (WHERE op = 'release'), 0) AS released,
        coalesce(sum(qty) FILTER (WHERE op IN ('restock', 'quarantine', 'write_off')), 0) AS restocked
    FROM stock_ledger l
    LEFT JOIN stock_holders s USING (holder_id)
    CROSS JOIN LATERAL (SELECT CASE WHEN s.turn > 0 THEN 'turn:' || s.turn ELSE '' END AS ref) AS k
    CROSS JOIN LATERAL (SELECT CASE WHEN l.op IN ('restock', 'quarantine', 'write_off') THEN k.ref ELSE l.ref END AS ref) AS e
    WHERE holder_id <> 0
    GROUP BY l.holder_id, l.sku_id, l.warehouse, s.state, e.ref, k.ref
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT h.holder_id || ':' || h.sku_id || '@' || h.warehouse AS id
    FROM held h
    WHERE h.reserves <> 1 OR h.ends > 1 OR h.restocked > h.committed
        OR (h.committed <> 0 AND h.committed <> h.reserved) OR (h.released <> 0 AND h.released <> h.reserved)
        OR NOT h.last AND h.released = 0
        OR h.last AND CASE h.state
            WHEN 'reserved' THEN h.ends <> 0
            WHEN 'released' THEN h.released = 0
            WHEN 'committed' THEN h.committed = 0
            WHEN 'restocked' THEN h.restocked <> h.reserved
            ELSE true END
) AS bad;

-- name: audit.refunds_within_captures
-- INV-04. The refunds that we request never exceed their capture, and draw only on captures that were reported. Of a capture that
-- several orders keep, each gives back its own part at most; of one that a split order keeps, the children give it back and the parent
-- nothing. What succeeded unexpectedly counts up to the capture: audit_payments.excess shows what is above. A part of an authorisation
-- that was released counts for its order, and moves no money.
WITH counted AS (
    SELECT order_id, provider, trade_no, state <> 'released' AS moves, CASE WHEN unexpected THEN 0 ELSE amount END AS requested,
        CASE WHEN state IN ('succeeded', 'excess', 'released') THEN amount - excess_amount ELSE 0 END AS gone
    FROM refunds
    WHERE state NOT IN ('failed', 'returned', 'deferred')
), refunded AS (
    SELECT order_id, provider, trade_no, greatest(sum(requested), sum(gone)) AS amount,
        greatest(sum(sum(requested) FILTER (WHERE moves)) OVER captures, sum(sum(gone) FILTER (WHERE moves)) OVER captures) AS whole
    FROM counted
    GROUP BY order_id, provider, trade_no
    WINDOW captures AS (PARTITION BY provider, trade_no)
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT r.order_id || ' ' || r.provider || ':' || r.trade_no AS id
    FROM refunded r
    LEFT JOIN payment_facts f ON f.provider = r.provider AND f.trade_no = r.trade_no AND f.kind = 'captured'
    LEFT JOIN orders o ON o.id = r.order_id
    WHERE r.whole > coalesce(f.amount, 0)
        OR (f.verdict = 'kept' AND r.amount > CASE o.kind WHEN 'split_parent' THEN 0 ELSE o.payable_amount END)
) AS bad;

-- name: audit.money_goes_back
-- INV-05, while work is under way. Every capture that is not kept has refunds of exactly its amount. Every order that ended without
-- goods has refunds of exactly its part of what is kept for it (with its parent's or with merged orders). The transaction that
-- decides the end requests them. A failed refund counts for what others did not give back: a person must request it again.
WITH kept AS (
    SELECT coalesce(s.order_id, f.order_id) AS order_id, f.provider, f.trade_no
    FROM payment_facts f LEFT JOIN payment_intent_orders s ON s.intent_id = f.intent_id
    WHERE f.verdict = 'kept'
), owed AS (
    SELECT order_id, provider, trade_no, amount FROM payment_facts WHERE kind = 'captured' AND verdict NOT IN ('kept', 'waiting')
    UNION ALL
    SELECT o.id, k.provider, k.trade_no, o.payable_amount
    FROM orders o JOIN kept k ON k.order_id = coalesce(o.parent_id, o.id)
    WHERE o.state IN ('cancelled', 'rejected')
), refunded AS (
    SELECT order_id, provider, trade_no, coalesce(sum(amount - excess_amount) FILTER (WHERE state NOT IN ('failed', 'returned')), 0) AS amount,
        coalesce(sum(amount) FILTER (WHERE state IN ('failed', 'returned')), 0) AS failed, bool_or(unexpected) AS unexpected
    FROM refunds
    GROUP BY order_id, provider, trade_no
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || ' ' || provider || ':' || trade_no AS id
    FROM owed w LEFT JOIN refunded r USING (order_id, provider, trade_no)
    WHERE w.amount > coalesce(r.amount + r.failed, 0) OR (w.amount < r.amount AND NOT r.unexpected)
) AS bad;

-- name: audit.money_is_back
-- INV-05, when drained. All those refunds have succeeded.
WITH kept AS (
    SELECT coalesce(s.order_id, f.order_id) AS order_id, f.provider, f.trade_no
    FROM payment_facts f LEFT JOIN payment_intent_orders s ON s.intent_id = f.intent_id
    WHERE f.verdict = 'kept'
), owed AS (
    SELECT order_id, provider, trade_no, amount FROM payment_facts WHERE kind = 'captured' AND verdict <> 'kept'
    UNION ALL
    SELECT o.id, k.provider, k.trade_no, o.payable_amount
    FROM orders o JOIN kept k ON k.order_id = coalesce(o.parent_id, o.id)
    WHERE o.state IN ('cancelled', 'rejected')
), refunded AS (
    SELECT order_id, provider, trade_no, sum(amount - excess_amount) AS amount
    FROM refunds
    WHERE state IN ('succeeded', 'excess', 'released')
    GROUP BY order_id, provider, trade_no
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || ' ' || provider || ':' || trade_no AS id
    FROM owed w LEFT JOIN refunded r USING (order_id, provider, trade_no)
    WHERE w.amount <> coalesce(r.amount, 0)
) AS bad;

-- name: audit.stock_follows_orders
-- INV-05 and INV-19. $1 seconds of grace, because a message to the stock may be under way. Stock is deducted at the step that the
-- order's policy names, and at the latest with the first units that are short: these are never restocked. Children hold stock, their
-- parent none, and no order that was taken from another system. Parcels that were out may come back or not. If stock has its own database, nothing is checked.
WITH moved AS (
    SELECT i.order_id, max(f.recorded_at) AS at
    FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id LEFT JOIN shipment_facts f ON f.shipment_id = s.id
    WHERE s.state NOT IN ('booked', 'cancelled') AND NOT i.withdrawn AND s.case_id IS NULL
    GROUP BY i.order_id
), held AS (
    SELECT o.id, o.kind, o.source, o.state, o.paid_at IS NOT NULL AS paid, m.order_id IS NOT NULL AS moved,
        coalesce(o.policy ->> 'deduct_on', 'pay') AS deduct_on, coalesce(h.state, 'unknown') AS stock, h.turn > 0 AS again,
        EXISTS (SELECT FROM dropped_units d WHERE d.order_id = o.id AND d.kind = 'short') AS short
    FROM orders o LEFT JOIN stock_holders h ON h.holder_id = o.id LEFT JOIN moved m ON m.order_id = o.id
    WHERE EXISTS (SELECT FROM stock_holders) AND greatest(o.updated_at, m.at) <= now() - make_interval(secs => $1::float8)
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT id || ' ' || state || ', stock ' || stock AS id
    FROM held
    WHERE stock <> ALL (CASE
        WHEN kind = 'split_parent' OR source = 'import' THEN ARRAY['unknown']
        WHEN state IN ('placing', 'reinstating') THEN ARRAY[stock]
        WHEN state = 'cancelled' AND NOT paid AND again THEN ARRAY['released', 'refused']
        WHEN state = 'rejected' THEN ARRAY['released', 'refused']
        WHEN state = 'awaiting_payment' THEN ARRAY[CASE deduct_on WHEN 'create' THEN 'committed' ELSE 'reserved' END]
        WHEN state = 'cancelled' AND NOT paid THEN ARRAY[CASE deduct_on WHEN 'create' THEN 'restocked' ELSE 'released' END]
        WHEN moved OR short THEN ARRAY['committed', 'restocked']
        WHEN state = 'cancelled' THEN ARRAY[CASE deduct_on WHEN 'ship' THEN 'released' ELSE 'restocked' END]
        ELSE ARRAY[CASE deduct_on WHEN 'ship' THEN 'reserved' ELSE 'committed' END] END)
) AS bad;

-- name: audit.stock_places
-- INV-05 and S3-44. Every line of an order that got its goods has them reserved in the warehouse that it names. If stock has its own
-- database, nothing is checked.
WITH lines AS (
    SELECT i.order_id, i.sku_id, i.warehouse, sum(i.qty) AS qty
    FROM orders o JOIN stock_holders h ON h.holder_id = o.id JOIN order_items i ON i.order_id = o.id
    WHERE o.state NOT IN ('placing', 'rejected')
    GROUP BY i.order_id, i.sku_id, i.warehouse
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT l.order_id || ' ' || l.sku_id || '@' || l.warehouse AS id
    FROM lines l
    LEFT JOIN stock_ledger r ON (r.holder_id, r.sku_id, r.warehouse, r.op) = (l.order_id, l.sku_id, l.warehouse, 'reserve')
    WHERE r.qty IS DISTINCT FROM l.qty
) AS bad;

-- name: audit.paid_orders
-- INV-06. A paid order keeps exactly one capture: its own, its parent's, or its part of one that paid merged orders and equals all of
-- them together. What was released before the capture is missing in it. An authorisation stands for the capture until that comes. An
-- order that costs nothing keeps none, and no order keeps one before it is paid.
WITH merged AS (
    SELECT intent_id, sum(amount) AS due FROM payment_intent_orders GROUP BY intent_id
), released AS (
    SELECT provider, trade_no, sum(amount) AS amount FROM refunds WHERE state = 'released' GROUP BY provider, trade_no
), kept AS (
    SELECT coalesce(s.order_id, f.order_id) AS order_id, count(*) AS captures,
        sum(coalesce(s.amount, f.amount + coalesce(r.amount, 0))) AS amount,
        min(f.currency) AS currency, min(f.intent_id) AS intent_id, bool_and(f.amount = coalesce(m.due, f.amount)) AS whole
    FROM payment_facts f
    LEFT JOIN released r USING (provider, trade_no) LEFT JOIN merged m USING (intent_id) LEFT JOIN payment_intent_orders s USING (intent_id)
    WHERE f.verdict = 'kept'
    GROUP BY 1
    UNION ALL
    SELECT a.order_id, 1, a.amount, a.currency, o.intent_id, true
    FROM payment_authorizations a JOIN orders o ON o.id = a.order_id
    WHERE a.verdict = 'kept' AND NOT EXISTS (SELECT FROM payment_facts f WHERE f.order_id = a.order_id AND f.verdict = 'kept')
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.state AS id
    FROM orders o JOIN orders p ON p.id = coalesce(o.parent_id, o.id) LEFT JOIN kept k ON k.order_id = p.id
    WHERE (o.id <> p.id AND o.id IN (SELECT order_id FROM kept))
        OR CASE
            WHEN p.payable_amount = 0 OR o.state IN ('placing', 'awaiting_payment', 'rejected', 'reinstating')
                OR (o.state = 'cancelled' AND o.paid_at IS NULL) THEN k.captures IS NOT NULL
            ELSE (k.captures, k.amount, k.currency, k.intent_id, k.whole)
                IS DISTINCT FROM (1, p.payable_amount, p.currency, o.intent_id, true) END
) AS bad;

-- name: audit.money_totals
-- INV-06. captured_amount sums the captures that name the order; of a merged payment each order counts the part that it keeps.
-- refunded_amount sums the refunds that succeeded, up to the capture. Both count only the order's currency.
WITH captured AS (
    SELECT coalesce(s.order_id, f.order_id) AS order_id, f.currency, sum(coalesce(s.amount, f.amount)) AS amount
    FROM payment_facts f LEFT JOIN payment_intent_orders s ON s.intent_id = f.intent_id AND f.verdict = 'kept'
    WHERE f.kind = 'captured'
    GROUP BY 1, 2
), refunded AS (
    SELECT order_id, currency, sum(amount - excess_amount) AS amount
    FROM refunds
    WHERE state IN ('succeeded', 'excess')
    GROUP BY order_id, currency
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id::text AS id
    FROM orders o
    LEFT JOIN captured c ON c.order_id = o.id AND c.currency = o.currency
    LEFT JOIN refunded r ON r.order_id = o.id AND r.currency = o.currency
    WHERE o.captured_amount <> coalesce(c.amount, 0) OR o.refunded_amount <> coalesce(r.amount, 0)
) AS bad;

-- name: audit.line_totals
-- INV-07. Lines add up to their order, children to their parent, in every term.
WITH parts AS (
    SELECT order_id, sum(origin_amount) AS origin, sum(promotion_amount) AS promotion, sum(coupon_amount) AS coupon,
        sum(points_amount) AS points, sum(adjustment_amount) AS adjustment, sum(shipping_share) AS shipping, sum(tax_amount) AS tax, sum(payable_amount) AS payable,
        sum(gift_points) AS gift_points, sum(gift_growth) AS gift_growth
    FROM order_items
    GROUP BY order_id
    UNION ALL
    SELECT parent_id, sum(origin_amount), sum(promotion_amount), sum(coupon_amount), sum(points_amount), sum(adjustment_amount), sum(shipping_fee),
        sum(tax_amount), sum(payable_amount), sum(gift_points), sum(gift_growth)
    FROM orders
    WHERE kind = 'split_child'
    GROUP BY parent_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id::text AS id
    FROM orders o LEFT JOIN parts p ON p.order_id = o.id
    WHERE (p.origin, p.promotion, p.coupon, p.points, p.adjustment, p.shipping, p.tax, p.payable, p.gift_points, p.gift_growth)
        IS DISTINCT FROM (o.origin_amount, o.promotion_amount, o.coupon_amount, o.points_amount, o.adjustment_amount, o.shipping_fee, o.tax_amount,
            o.payable_amount, o.gift_points, o.gift_growth)
) AS bad;

-- name: audit.adjustments
-- INV-07. What an order and each of its lines cost now is what they cost when created, less the rows of order_adjustments: one for the order
-- at each step that changed its price, and one for each of its own lines, which add up to it. The intents of an order have its price: its own
-- one, and its share of each merged one, of which the amount is the sum.
WITH steps AS (
    SELECT order_id, version, sum(amount) FILTER (WHERE line_no = 0) AS amount, sum(shipping) FILTER (WHERE line_no = 0) AS shipping,
        sum(amount) FILTER (WHERE line_no > 0) AS line_amount, sum(shipping) FILTER (WHERE line_no > 0) AS line_shipping
    FROM order_adjustments
    GROUP BY order_id, version
), adjusted AS (
    SELECT order_id, sum(amount) AS amount FROM order_adjustments WHERE line_no = 0 GROUP BY order_id
), lines AS (
    SELECT order_id, line_no, sum(amount) AS amount, sum(shipping) AS shipping FROM order_adjustments WHERE line_no > 0 GROUP BY order_id, line_no
), merged AS (
    SELECT intent_id, sum(amount) AS amount FROM payment_intent_orders GROUP BY intent_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id::text AS id
    FROM orders o LEFT JOIN adjusted a ON a.order_id = o.id
    WHERE o.adjustment_amount <> coalesce(a.amount, 0)
    UNION ALL
    SELECT i.order_id || '#' || i.line_no
    FROM order_items i FULL JOIN lines l USING (order_id, line_no)
    WHERE (i.adjustment_amount, i.shipping_adjustment) IS DISTINCT FROM (coalesce(l.amount, 0), coalesce(l.shipping, 0))
    UNION ALL
    SELECT coalesce(s.order_id, l.order_id) || ' version ' || coalesce(s.version, l.version)
    FROM steps s
    FULL JOIN (SELECT * FROM operate_logs WHERE remark = 'amount_changed') AS l USING (order_id, version)
    LEFT JOIN orders o ON o.id = s.order_id
    WHERE l.version IS NULL OR s.amount IS NULL
        OR (o.kind <> 'split_parent' AND (s.amount, s.shipping) IS DISTINCT FROM (s.line_amount, s.line_shipping))
        OR (o.kind = 'split_parent' AND s.line_amount IS NOT NULL)
    UNION ALL
    SELECT 'intent ' || i.id
    FROM payment_intents i JOIN orders o ON o.id = i.order_id LEFT JOIN merged m ON m.intent_id = i.id
    WHERE i.amount IS DISTINCT FROM CASE i.purpose WHEN 'merged' THEN m.amount ELSE o.payable_amount END
    UNION ALL
    SELECT 'share of ' || s.order_id || ' in ' || s.intent_id
    FROM payment_intent_orders s JOIN orders o ON o.id = s.order_id
    WHERE s.amount <> o.payable_amount
) AS bad;

-- name: audit.reinstatements
-- INV-05. A capture waits exactly while its order is being reinstated, by the order's policy, and has what the order costs. Neither is
-- refunded meanwhile.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT coalesce(o.id, f.order_id) || ' ' || coalesce(o.state, 'none') AS id
    FROM (SELECT * FROM orders WHERE state = 'reinstating' AND parent_id IS NULL) AS o
    FULL JOIN (SELECT * FROM payment_facts WHERE verdict = 'waiting') AS f ON f.order_id = o.id
    WHERE (f.kind, f.amount, f.currency) IS DISTINCT FROM ('captured', o.payable_amount, o.currency)
        OR o.policy ->> 'on_late_payment' IS DISTINCT FROM 'reinstate_if_stock' OR o.paid_at IS NOT NULL
    UNION ALL
    SELECT f.order_id || ' refunded'
    FROM payment_facts f JOIN refunds r ON r.provider = f.provider AND r.trade_no = f.trade_no
    WHERE f.verdict = 'waiting' AND r.provider_no IS NULL
) AS bad;

-- name: audit.families
-- INV-07 (R-07). A split order has at least two children, and neither lines nor parcels of its own. Parent and children
-- have one user, one request and one intent. They take every step together until they are paid; then each child goes on alone.
WITH family AS (
    SELECT parent_id, count(*) AS children FROM orders WHERE parent_id IS NOT NULL GROUP BY parent_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT c.id || ' ' || c.state || ' of ' || coalesce(p.id || ' ' || p.state, 'none') AS id
    FROM orders c LEFT JOIN orders p ON p.id = c.parent_id AND p.kind = 'split_parent'
    WHERE c.kind = 'split_child'
        AND ((c.root_id, c.user_id, c.request_id, c.currency, c.intent_id)
                IS DISTINCT FROM (p.id, p.user_id, p.request_id, p.currency, p.intent_id)
            OR CASE p.state WHEN 'split' THEN c.paid_at IS NULL OR c.state IN ('placing', 'awaiting_payment', 'rejected', 'split')
                ELSE c.state <> p.state OR c.paid_at IS NOT NULL END)
    UNION ALL
    SELECT o.id || ' ' || o.state
    FROM orders o LEFT JOIN family f ON f.parent_id = o.id
    WHERE o.kind IN ('sale', 'split_parent')
        AND (o.root_id <> o.id OR o.parent_id IS NOT NULL
            OR CASE o.kind WHEN 'sale' THEN f.children IS NOT NULL OR o.state = 'split'
                ELSE coalesce(f.children, 0) < 2 OR o.state NOT IN ('placing', 'awaiting_payment', 'cancelled', 'rejected', 'split', 'reinstating')
                    OR o.id IN (SELECT order_id FROM order_items UNION ALL SELECT order_id FROM shipment_items) END)
) AS bad;

-- name: audit.exchanges
-- INV-07. $1 seconds of grace. An exchange order is a root without children, of one case; it costs what its goods cost above those that come
-- back, both with the tax that is added, of which each line rounds its own. A case that ended with other goods has them delivered, one that sends nothing has no exchange order that holds stock, and an
-- unreturned one has other goods out.
WITH newest AS (
    SELECT DISTINCT ON (case_id) * FROM exchange_orders ORDER BY case_id, order_id DESC
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.state AS id
    FROM orders o LEFT JOIN exchange_orders e ON e.order_id = o.id
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(i.origin_amount * i.tax_basis_points / 10000.0), 0) AS tax, count(i.tax_basis_points) AS lines
            FROM order_items i WHERE i.order_id = o.id) AS t
    WHERE o.kind = 'exchange'
        AND (o.root_id <> o.id OR o.parent_id IS NOT NULL
            OR o.payable_amount + o.adjustment_amount IS DISTINCT FROM greatest(0, e.price_amount - e.value_amount)
            OR abs(e.price_amount - o.origin_amount - t.tax) > t.lines)
    UNION ALL
    SELECT 'case ' || c.id || ', order ' || o.id || ' ' || o.state
    FROM after_sales c JOIN newest e ON e.case_id = c.id JOIN orders o ON o.id = e.order_id
    WHERE (c.state = 'reshipping' AND o.paid_at IS NULL)
        OR (EXISTS (SELECT FROM after_sale_lines l WHERE l.case_id = c.id AND l.replaced_qty > 0)
            AND (c.state NOT IN ('completed', 'unreturned', 'closed') OR o.delivered_at IS NULL AND o.completed_at IS NULL))
        OR (c.state = 'unreturned' AND o.state IN ('placing', 'rejected', 'cancelled')
            AND o.updated_at <= now() - make_interval(secs => $1::float8))
        OR (c.state IN ('rejected', 'revoked', 'closed') AND c.balance_amount IS NULL AND o.state IN ('placing', 'awaiting_payment')
            AND c.completed_at <= now() - make_interval(secs => $1::float8))
) AS bad;

-- name: audit.histories
-- INV-10. The operate log has versions 1..n without a gap, and each step starts where the step before ended.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT DISTINCT order_id::text AS id
    FROM (
        SELECT order_id, version, pre_state, row_number() OVER steps AS place, lag(cur_state, 1, '') OVER steps AS before
        FROM operate_logs
        WINDOW steps AS (PARTITION BY order_id ORDER BY version)
    ) AS step
    WHERE version <> place OR pre_state <> before
) AS bad;

-- name: audit.states_from_logs
-- INV-11. The last log row of an order names the order's state.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id::text AS id
    FROM orders o
    LEFT JOIN (
        SELECT order_id, max(version) AS version, (array_agg(cur_state ORDER BY version DESC))[1] AS state
        FROM operate_logs
        GROUP BY order_id
    ) AS l ON l.order_id = o.id
    WHERE (l.version, l.state) IS DISTINCT FROM (o.version, o.state)
) AS bad;

-- name: audit.outcomes
-- INV-12. A command is undecided only while its order is being placed, its attempt opened at a provider or its parcel booked at a carrier. The
-- outcome of order.create agrees with its order. If the order was split, the command made the parent. No command of ours placed an imported order. The command of an order from before the horizon may be gone.
WITH creates AS (
    SELECT c.request_id, c.scope, c.outcome_type, coalesce(c.order_id::text, c.outcome ->> 'order_id') AS outcome_id, o.id, o.state, o.created_at
    FROM (SELECT * FROM commands WHERE type = 'order.create.v1') AS c
    FULL JOIN (SELECT * FROM orders WHERE kind IN ('sale', 'split_parent') AND source <> 'import') AS o
        ON c.scope = 'order.create:' || o.user_id AND c.request_id = o.request_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT coalesce(id::text, scope || ' ' || request_id) AS id
    FROM creates
    WHERE CASE
            WHEN id IS NULL AND EXISTS (SELECT FROM archived_orders x WHERE x.order_id = outcome_id::bigint) THEN false
            WHEN scope IS NULL THEN created_at >= coalesce((SELECT horizon FROM retention_horizons WHERE name = 'commands'), '-infinity')
            WHEN outcome_type IS NULL THEN state IS DISTINCT FROM 'placing'
            WHEN outcome_type = 'command.rejected.v1' THEN id IS NOT NULL
            WHEN outcome_type = 'order.rejected.v1' THEN state IS DISTINCT FROM 'rejected' OR outcome_id IS DISTINCT FROM id::text
            WHEN outcome_type = 'order.created.v1' THEN id IS NULL OR state IN ('placing', 'rejected') OR outcome_id IS DISTINCT FROM id::text
            ELSE true END
    UNION ALL
    SELECT c.scope || ' ' || c.request_id
    FROM commands c
    LEFT JOIN payment_attempts a ON c.type = 'payment.start.v1' AND a.command = ARRAY[c.scope, c.request_id]
    LEFT JOIN waybills w ON w.scope = c.scope AND w.request_id = c.request_id
    WHERE c.outcome_type IS NULL AND c.type <> 'order.create.v1' AND a.id IS NULL AND w.id IS NULL
) AS bad;

-- name: audit.undecided
-- INV-12, when drained. Every command has its outcome.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (SELECT scope || ' ' || request_id AS id FROM commands WHERE outcome_type IS NULL) AS bad;

-- name: audit.order_numbers
-- INV-13. A number belongs to one order, and an order has its number from the moment that it can be paid. A number that was issued
-- before its order belongs to the user of that order, and names it. order_numbers has each, also those of archived orders.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT id::text FROM orders WHERE order_no IS NULL AND state NOT IN ('placing', 'rejected')
    UNION ALL
    SELECT i.order_no
    FROM issued_order_numbers i LEFT JOIN orders o ON o.id = i.order_id
    WHERE i.order_id IS NOT NULL AND (o.order_no, o.user_id) IS DISTINCT FROM (i.order_no, i.user_id)
        AND NOT EXISTS (SELECT FROM archived_orders x WHERE x.order_id = i.order_id)
    UNION ALL
    SELECT i.order_no FROM issued_order_numbers i JOIN orders o USING (order_no) WHERE i.order_id IS NULL
    UNION ALL
    SELECT o.order_no FROM orders o LEFT JOIN order_numbers n ON n.order_no = o.order_no AND n.order_id = o.id
    WHERE o.order_no IS NOT NULL AND n.order_no IS NULL
    UNION ALL
    SELECT n.order_no FROM order_numbers n LEFT JOIN orders o ON o.id = n.order_id
    WHERE o.order_no IS DISTINCT FROM n.order_no AND NOT EXISTS (SELECT FROM archived_orders x WHERE x.order_id = n.order_id)
) AS bad;

-- name: audit.archive
-- S1-40. An order is in the tables or archived, not both, and a family is archived as a whole.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT a.order_id::text AS id FROM archived_orders a JOIN orders o USING (root_id)
) AS bad;

-- name: audit.snapshots
-- S3-30. Every order has its lines as they were sold, numbered without a gap over its family, and its coupon (1) if it has one. A parent
-- has the lines of its children. The amounts stand in the order itself; an older order has a copy of them (2), which agrees.
WITH sold AS (
    SELECT o.root_id, count(i.line_no) AS lines, max(i.line_no) AS last, bool_or(i.line_no IS NULL) AS empty
    FROM orders o LEFT JOIN order_items i ON i.order_id = o.id
    WHERE o.kind <> 'split_parent'
    GROUP BY o.root_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id::text AS id
    FROM orders o
    LEFT JOIN sold s ON s.root_id = o.id
    LEFT JOIN order_snapshots c ON c.order_id = o.id AND c.type = 1
    LEFT JOIN order_snapshots a ON a.order_id = o.id AND a.type = 2
    WHERE (o.parent_id IS NULL AND (s.lines, s.empty) IS DISTINCT FROM (s.last::bigint, false))
        OR (c.order_id IS NOT NULL) <> (o.coupon_id IS NOT NULL) OR (a.data ->> 'payable')::bigint <> o.payable_amount + o.adjustment_amount
) AS bad;

-- name: audit.taxes
-- INV-07. The tax of a line is its rate of what is paid for the goods, rounded as its order's own rule says; in an exchange order the sum that
-- is left to pay is given, and the tax is the part of it that the rate makes. Rate and rule were stored with the order, so that a later change of the shop's settings changes nothing: in its policy and its lines, or in the snapshots (2 amounts,
-- 3 lines) of an order from before these columns.
WITH rated AS (
    SELECT i.order_id, i.line_no, i.tax_basis_points, o.kind = 'exchange' AS within, coalesce(o.policy ->> 'tax_rounding', 'half_up') AS rounding
    FROM order_items i JOIN orders o ON o.id = i.order_id
    WHERE i.tax_basis_points IS NOT NULL
    UNION ALL
    SELECT s.order_id, (l.line ->> 'line_no')::smallint, (l.line ->> 'tax_basis_points')::integer, false, a.data -> 'rounding' ->> 'tax'
    FROM order_snapshots s
    CROSS JOIN LATERAL jsonb_array_elements(s.data) AS l (line)
    JOIN order_snapshots a ON a.order_id = s.order_id AND a.type = 2
    WHERE s.type = 3 AND l.line ? 'tax_basis_points'
), taxed AS (
    SELECT order_id, line_no, r.rounding, i.tax_amount,
        CASE WHEN r.within THEN 10000 + r.tax_basis_points ELSE 10000 END AS whole,
        (i.payable_amount + i.adjustment_amount - CASE WHEN r.within THEN 0 ELSE i.tax_amount END - i.shipping_share)::numeric
            * r.tax_basis_points AS tax
    FROM rated r JOIN order_items i USING (order_id, line_no)
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || ' line ' || line_no || ', tax ' || tax_amount || ', ' || rounding AS id
    FROM taxed
    WHERE tax_amount <> CASE rounding WHEN 'down' THEN div(tax, whole) WHEN 'up' THEN div(tax + whole - 1, whole)
        WHEN 'half_up' THEN div(2 * tax + whole, 2 * whole)
        ELSE div(2 * tax + whole, 2 * whole) - CASE WHEN mod(2 * tax, 4 * whole) = whole THEN 1 ELSE 0 END END
) AS bad;

-- name: audit.deadlines
-- INV-14. $1 seconds of grace. An order that waits has its timer, and the timer is not overdue by more. An order that is held or
-- has an open case is not completed by its receipt timer, which may be overdue then. Until they are paid, children share the timers of their parent. The timer of
-- an order that is cancelling starts with the message to its warehouses. The case of an exchange order that has its stock ends it.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.state AS id
    FROM orders o
    JOIN (VALUES ('placing', 'saga'), ('reinstating', 'saga'), ('awaiting_payment', 'payment'), ('delivered', 'receipt'), ('cancelling', 'cancelling'))
        AS wait (state, kind)
        ON wait.state = o.state
    LEFT JOIN timers t ON t.kind = wait.kind AND t.key = o.id
    WHERE (o.kind <> 'split_child' OR wait.kind IN ('receipt', 'cancelling'))
        AND NOT (o.state = 'placing' AND o.kind = 'exchange' AND EXISTS (
            SELECT FROM exchange_orders e WHERE e.order_id = o.id AND e.state <> 'reserving'))
        AND (o.state <> 'cancelling' OR o.updated_at <= now() - make_interval(secs => $1::float8))
        AND (t.due_at IS NULL OR t.due_at < now() - make_interval(secs => $1::float8) AND NOT (wait.kind = 'receipt'
            AND (o.held OR EXISTS (SELECT FROM after_sales c WHERE c.order_id = o.id AND c.completed_at IS NULL))))
    UNION ALL
    SELECT h.order_id || ' shortage'
    FROM order_holds h LEFT JOIN timers t ON t.kind = 'shortage' AND t.key = h.order_id
    WHERE h.kind = 'shortage' AND h.released_at IS NULL AND t.due_at IS NULL
    UNION ALL
    SELECT c.order_id || ' captcha'
    FROM captcha_challenges c LEFT JOIN orders o ON o.id = c.order_id
    WHERE o.state IS DISTINCT FROM 'placing'
    UNION ALL
    SELECT s.order_id || ' cancellation'
    FROM scheduled_cancellations s LEFT JOIN timers t ON t.kind = 'cancellation' AND t.key = s.order_id
    WHERE t.due_at IS NULL
) AS bad;

-- name: audit.placing
-- INV-14, when drained. No order is being placed or reinstated, but for exchange orders that wait for the goods of their case.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id::text AS id
    FROM orders o LEFT JOIN exchange_orders e ON e.order_id = o.id
    WHERE o.state = 'reinstating' OR (o.state = 'placing' AND e.state IS DISTINCT FROM 'reserved')
) AS bad;

-- name: audit.timers
-- INV-14. $1 seconds of grace. A timer that its order does not need any more is dropped at the latest when it is next woken; the timer
-- of an attempt, a refund, a waybill, a case, a dispute, a group or a scheduled cancellation is dropped as soon as its end is known, and that of a
-- cancellation has the time of its row. A child never has a timer that its parent has for it.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT t.kind || ' ' || t.key AS id
    FROM timers t
    LEFT JOIN orders o ON t.kind IN ('saga', 'payment', 'receipt', 'shortage', 'cancelling') AND o.id = t.key
    LEFT JOIN payment_attempts a ON t.kind = 'attempt' AND a.id = t.key
    LEFT JOIN refunds r ON t.kind = 'refund' AND r.id = t.key
    LEFT JOIN waybills w ON t.kind = 'waybill' AND w.id = t.key
    LEFT JOIN payment_authorizations z ON t.kind = 'authorization' AND z.attempt_id = t.key
    LEFT JOIN after_sales c ON t.kind = 'after_sale' AND c.id = t.key
    LEFT JOIN payment_disputes d ON t.kind = 'dispute' AND d.id = t.key
    LEFT JOIN scheduled_cancellations s ON t.kind = 'cancellation' AND s.order_id = t.key
    LEFT JOIN buying_groups g ON t.kind = 'group' AND g.id = t.key
    WHERE CASE t.kind
        WHEN 'attempt' THEN coalesce(a.state, 'none') IN ('authorized', 'captured', 'failed', 'closed', 'none')
        WHEN 'authorization' THEN coalesce(z.state, 'none') IN ('captured', 'voided', 'none')
        WHEN 'refund' THEN coalesce(r.state, 'none') NOT IN ('requested', 'submitted', 'unknown')
        WHEN 'waybill' THEN coalesce(w.state, 'none') NOT IN ('requested', 'booked', 'unused')
        WHEN 'after_sale' THEN c.id IS NULL OR (c.completed_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM after_sale_send_backs b WHERE b.case_id = c.id AND b.sent_at IS NULL))
        WHEN 'dispute' THEN d.state IS DISTINCT FROM 'opened' OR d.due_at IS NULL
        WHEN 'group' THEN g.state IS DISTINCT FROM 'open'
        WHEN 'cancellation' THEN s.at IS DISTINCT FROM t.due_at OR t.due_at < now() - make_interval(secs => $1::float8)
        WHEN 'shortage' THEN t.due_at < now() - make_interval(secs => $1::float8)
            OR o.state IN ('cancelled', 'completed', 'rejected', 'split')
        ELSE (o.kind = 'split_child' AND t.kind NOT IN ('receipt', 'cancelling'))
            OR (o.state IS DISTINCT FROM CASE t.kind
                    WHEN 'saga' THEN CASE o.state WHEN 'reinstating' THEN o.state ELSE 'placing' END
                    WHEN 'payment' THEN 'awaiting_payment' WHEN 'receipt' THEN 'delivered' ELSE 'cancelling' END
                AND t.due_at < now() - make_interval(secs => $1::float8)) END
) AS bad;

-- name: audit.finished_timers
-- INV-14, when drained. Neither a finished order nor a split order has a timer.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT t.kind || ' ' || t.key AS id FROM timers t LEFT JOIN orders o ON o.id = t.key
    WHERE t.kind IN ('saga', 'payment', 'receipt') AND (o.id IS NULL OR o.state IN ('cancelled', 'completed', 'rejected', 'split'))
) AS bad;

-- name: audit.holds
-- An order is marked as held while it has an open hold. Neither an order that has ended nor a split one has any. A hold does not
-- begin before its order is held.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.state || ', ' || count(h.id) || ' open' AS id
    FROM orders o LEFT JOIN order_holds h ON h.order_id = o.id AND h.released_at IS NULL
    WHERE o.held OR h.id IS NOT NULL
    GROUP BY o.id, o.state, o.held
    HAVING NOT o.held OR count(h.id) = 0 OR o.state IN ('cancelled', 'completed', 'rejected', 'split')
    UNION ALL
    SELECT 'hold ' || h.id FROM order_holds h WHERE h.held_since > h.placed_at
) AS bad;

-- name: audit.refunded_lines
-- INV-15. Lines never give back more units or money than were bought, and refunds never exceed what the lines gave back.
WITH given AS (SELECT order_id, line_no, sum(amount) AS amount FROM refund_lines GROUP BY order_id, line_no)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || '#' || line_no AS id
    FROM order_items i FULL JOIN given g USING (order_id, line_no)
    WHERE i.qty IS NULL OR i.refunded_qty NOT BETWEEN 0 AND i.qty OR i.refunded_amount NOT BETWEEN 0 AND i.payable_amount
        OR coalesce(g.amount, 0) > i.refunded_amount
) AS bad;

-- name: audit.dropped_units
-- INV-15. $1 seconds of grace, because a message to the stock may be under way. Lines say how many of their units were short and
-- cancelled, and have given them back. Cancelled units are in the stock's ledger again, if stock has no database of its own; short units
-- are not, because they do not exist.
WITH dropped AS (
    SELECT order_id, line_no, coalesce(sum(qty) FILTER (WHERE kind = 'short'), 0) AS short,
        coalesce(sum(qty) FILTER (WHERE kind = 'cancelled'), 0) AS cancelled
    FROM dropped_units
    GROUP BY order_id, line_no
), back AS (
    SELECT order_id, ref, sum(qty) AS qty, max(at) AS at FROM dropped_units WHERE kind = 'cancelled' GROUP BY order_id, ref
), restocked AS (
    SELECT holder_id, ref, sum(qty) AS qty FROM stock_ledger WHERE op = 'restock' GROUP BY holder_id, ref
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || '#' || line_no AS id
    FROM order_items i FULL JOIN dropped d USING (order_id, line_no)
    WHERE (i.short_qty, i.cancelled_qty) IS DISTINCT FROM (coalesce(d.short, 0), coalesce(d.cancelled, 0))
        OR i.short_qty + i.cancelled_qty > i.refunded_qty
    UNION ALL
    SELECT b.order_id || ' ' || b.ref
    FROM back b LEFT JOIN restocked r ON r.holder_id = b.order_id AND r.ref = b.ref
    WHERE EXISTS (SELECT FROM stock_holders) AND b.at <= now() - make_interval(secs => $1::float8) AND b.qty IS DISTINCT FROM r.qty
) AS bad;

-- name: audit.parcels
-- INV-15. What is in parcels, was short and was cancelled is never more than was bought. A parcel holds goods of one user, and of nothing
-- if it is cancelled. One that names the warehouse that it leaves holds goods from there only, and one of several orders leaves one. One
-- that brings goods back holds those of its case.
WITH packed AS (
    SELECT i.order_id, i.line_no, sum(i.qty) AS qty
    FROM shipment_items i JOIN shipments s ON s.id = i.shipment_id
    WHERE NOT i.withdrawn AND s.case_id IS NULL
    GROUP BY i.order_id, i.line_no
), contents AS (
    SELECT m.shipment_id, bool_and(m.withdrawn) AS withdrawn, min(m.order_id) AS first_order, max(m.order_id) AS last_order,
        min(i.warehouse) AS first_place, max(i.warehouse) AS last_place
    FROM shipment_items m LEFT JOIN order_items i ON i.order_id = m.order_id AND i.line_no = m.line_no
    GROUP BY m.shipment_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || '#' || line_no AS id
    FROM packed p LEFT JOIN order_items i USING (order_id, line_no)
    WHERE p.qty > coalesce(i.qty - i.short_qty - i.cancelled_qty, 0)
    UNION ALL
    SELECT 'parcel ' || s.id
    FROM shipments s LEFT JOIN contents c ON c.shipment_id = s.id
    WHERE c.withdrawn IS DISTINCT FROM (s.state = 'cancelled')
        OR (c.first_order <> c.last_order AND (SELECT count(DISTINCT o.user_id)
            FROM shipment_items i JOIN orders o ON o.id = i.order_id WHERE i.shipment_id = s.id) <> 1)
    UNION ALL
    SELECT 'parcel ' || s.id || ' from ' || c.first_place || ' and ' || c.last_place
    FROM shipments s JOIN contents c ON c.shipment_id = s.id
    WHERE s.case_id IS NULL AND ((c.first_place, c.last_place) <> (s.warehouse, s.warehouse)
        OR c.first_place <> c.last_place AND c.first_order <> c.last_order)
    UNION ALL
    SELECT 'parcel ' || s.id || ' of case ' || s.case_id
    FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id
        LEFT JOIN after_sales c ON c.id = s.case_id AND c.order_id = i.order_id
        LEFT JOIN after_sale_lines l ON l.case_id = c.id AND l.line_no = i.line_no
    WHERE s.case_id IS NOT NULL AND l.qty IS DISTINCT FROM i.qty
) AS bad;

-- name: audit.times
-- INV-16. An order is paid, shipped, delivered and completed in this order.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT id::text AS id FROM orders
    WHERE NOT (coalesce(created_at <= paid_at, true) AND coalesce(paid_at <= shipped_at, true)
        AND coalesce(shipped_at <= delivered_at, true) AND coalesce(coalesce(delivered_at, shipped_at) <= completed_at, true))
        OR (state = 'shipped' AND shipped_at IS NULL) OR (state = 'delivered' AND delivered_at IS NULL)
        OR (state = 'completed' AND completed_at IS NULL)
) AS bad;

-- name: audit.transitions
-- INV-17. $1 and $2 are the pairs of states that the transition table has. The operate log has no other pair.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT l.order_id || ' ' || l.version || ' ' || l.pre_state || '>' || l.cur_state AS id
    FROM operate_logs l
    WHERE (l.pre_state, l.cur_state) NOT IN (SELECT * FROM unnest($1::text[], $2::text[]))
) AS bad;

-- name: audit.personal_data
-- INV-18. Nothing stored in clear has the keys of an address or a free text, no text about a failure has a mobile number, and a
-- reason beside orders and money is a code.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT 'snapshot ' || order_id || '/' || type AS id FROM order_snapshots
    WHERE data::text ~ '"(phone|receiver|detail|street)"\s*:'
    UNION ALL
    SELECT 'attempt ' || id FROM payment_attempts WHERE position('"client_ip"'::bytea IN details) > 0
    UNION ALL
    SELECT 'command ' || scope || ' ' || request_id FROM commands WHERE outcome::text ~ '"(phone|receiver|street|reason)"\s*:'
    UNION ALL
    SELECT 'outbox ' || id FROM unpublished
    WHERE key_id IS NULL AND (type IN ('order.create.v1', 'order.draft.save.v1', 'order.import.v1', 'order.change_address.v1', 'order.change_remark.v1', 'order.change_note.v1', 'order.cancel.v1',
            'order.amount.adjust.v1', 'order.hold.v1', 'order.release.v1', 'contact.set.v1', 'points.grant.v1', 'points.adjust.v1',
            'after_sale.apply.v1', 'after_sale.review.v1', 'after_sale.reopen.v1', 'after_sale.close.v1', 'dispute.submit_evidence.v1',
            'refund.request.v1', 'refund.result.v1', 'payment.result.v1', 'risk.result.v1', 'stock.adjust.v1', 'revision.reset.v1')
        OR position('"phone"'::bytea IN body) > 0 OR position('"receiver"'::bytea IN body) > 0)
    UNION ALL
    SELECT 'dead letter ' || id FROM dead_letters WHERE error_message ~ '\m1[3-9][0-9]{9}\M'
    UNION ALL
    SELECT 'log ' || order_id || ' ' || version FROM operate_logs WHERE remark ~ '\m1[3-9][0-9]{9}\M'
    UNION ALL
    SELECT 'reason of ' || about FROM (
        SELECT 'order ' || id AS about, reason_code FROM orders
        UNION ALL SELECT 'refund ' || refund_no, reason_code FROM refunds
        UNION ALL SELECT 'payment ' || provider || ':' || trade_no, reason_code FROM payment_facts
        UNION ALL SELECT 'attempt ' || id, reason_code FROM payment_attempts
        UNION ALL SELECT 'adjustment of ' || order_id, reason_code FROM order_adjustments
        UNION ALL SELECT 'dispute ' || provider || ':' || dispute_no, reason_code FROM payment_disputes
    ) AS reasons WHERE reason_code !~ '^([A-Za-z_.]|[0-9]{1,4}([A-Za-z_.]|$))+$'
) AS bad;

-- name: audit.user_keys
-- INV-18. What names a user's key names one of that order's user, and an erased key is gone.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT s.what || ' ' || s.id AS id
    FROM (SELECT 'address' AS what, a.order_id AS id, a.order_id, a.key_id FROM order_addresses a
          UNION ALL SELECT 'remark', o.id, o.id, o.remark_key_id FROM orders o
          UNION ALL SELECT 'note', n.order_id, n.order_id, n.key_id FROM order_notes n
          UNION ALL SELECT 'attempt', p.id, p.order_id, p.key_id FROM payment_attempts p) AS s
    JOIN orders o ON o.id = s.order_id
    LEFT JOIN user_keys k ON k.key_id = s.key_id
    WHERE s.key_id LIKE 'u:%' AND k.user_id IS DISTINCT FROM o.user_id
    UNION ALL
    SELECT 'text ' || t.about FROM free_texts t
    WHERE t.key_id LIKE 'u:%' AND NOT EXISTS (SELECT FROM user_keys k WHERE k.key_id = t.key_id)
    UNION ALL
    SELECT 'user ' || user_id FROM user_keys
    WHERE (erased_at IS NULL) <> (wrapped IS NOT NULL AND shop_key_id IS NOT NULL)
    UNION ALL
    SELECT 'user ' || user_id FROM user_keys WHERE erased_at IS NULL GROUP BY user_id HAVING count(*) > 1
) AS bad;

-- name: audit.outbox_age
-- INV-19. $1 seconds of grace. Every announcement is published within them.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.type || coalesce(' held: ' || o.held_reason, '') AS id
    FROM unpublished o
    WHERE o.created_at <= now() - make_interval(secs => $1::float8)
) AS bad;
