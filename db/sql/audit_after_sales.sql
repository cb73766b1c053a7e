-- name: audit_after_sales.histories
-- INV-22. $1 states before ('' for the first step), $2 triggers, $3 states after and $4 types: every step that a case may take. The steps of a
-- case have versions 1..n without a gap, each starts where the one before ended, no other step occurs, and the last one names the state
-- of the case. As in audit.sql: one row, how many violations, and the first five of them; locks: none.
WITH allowed AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS t (pre_state, trigger, cur_state, type)
), placed AS (
    SELECT case_id, version, pre_state, trigger, cur_state, row_number() OVER steps AS place, lag(cur_state, 1, '') OVER steps AS before
    FROM after_sale_steps
    WINDOW steps AS (PARTITION BY case_id ORDER BY version)
), last AS (
    SELECT case_id, max(version) AS version, (array_agg(cur_state ORDER BY version DESC))[1] AS state FROM after_sale_steps GROUP BY case_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT s.case_id || ' ' || s.version || ' ' || s.pre_state || '>' || s.cur_state AS id
    FROM placed s LEFT JOIN after_sales c ON c.id = s.case_id
    WHERE s.version <> s.place OR s.pre_state <> s.before
        OR NOT EXISTS (SELECT FROM allowed a
            WHERE (a.pre_state, a.trigger, a.cur_state, a.type) = (s.pre_state, s.trigger, s.cur_state, c.type))
    UNION ALL
    SELECT c.id || ' ' || c.state
    FROM after_sales c LEFT JOIN last l ON l.case_id = c.id
    WHERE (l.version, l.state) IS DISTINCT FROM (c.version, c.state)
) AS bad;

-- name: audit_after_sales.units
-- INV-15. A live case claims its units, also one whose goods are owed; another ended one those that it gave back or replaced, and those that
-- the warehouse has not sent back.
-- No unit is claimed twice, and none that has not left for the buyer. What cases gave back is given back in the order's lines, beside what was short or cancelled, which never left.
WITH parts AS (
    SELECT c.order_id, l.line_no, l.refunded_qty, l.replaced_qty,
        CASE WHEN c.completed_at IS NULL OR c.state = 'unreturned' THEN l.qty
            ELSE l.refunded_qty + l.replaced_qty + greatest(l.refused_qty, coalesce(b.qty, 0))
                - CASE WHEN b.sent_at IS NULL THEN 0 ELSE b.qty END END AS claimed
    FROM after_sale_lines l JOIN after_sales c ON c.id = l.case_id
        LEFT JOIN after_sale_send_backs b ON b.case_id = l.case_id AND b.line_no = l.line_no
), claims AS (
    SELECT order_id, line_no, sum(claimed) AS claimed, sum(refunded_qty) AS refunded, sum(replaced_qty) AS replaced
    FROM parts
    GROUP BY order_id, line_no
), sent AS (
    SELECT i.order_id, i.line_no, sum(i.qty) AS qty
    FROM shipment_items i JOIN shipments s ON s.id = i.shipment_id
    WHERE NOT i.withdrawn AND s.case_id IS NULL AND s.state NOT IN ('booked', 'cancelled')
    GROUP BY i.order_id, i.line_no
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || '#' || line_no || ', ' || c.claimed || ' of ' || coalesce(s.qty, 0) || ' claimed' AS id
    FROM claims c LEFT JOIN sent s USING (order_id, line_no) LEFT JOIN order_items i USING (order_id, line_no)
    WHERE i.qty IS NULL OR c.claimed > coalesce(s.qty, 0) OR c.refunded + i.short_qty + i.cancelled_qty > i.refunded_qty
        OR i.refunded_qty + c.replaced > i.qty
) AS bad;

-- name: audit_after_sales.refunds
-- INV-04. A case that has decided about its money has exactly one refund of its own, of its amount, or none if that is nothing; before, it has
-- none. A refund in place of a failed one belongs to the same case.
WITH opened AS (
    SELECT case_id, count(*) AS refunds, min(amount) AS amount, min(order_id) AS order_id,
        min(cause) AS cause
    FROM refunds
    WHERE case_id IS NOT NULL AND replaces IS NULL
    GROUP BY case_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT coalesce(c.id, o.case_id) || ' ' || coalesce(c.state, 'unknown') || ', refund ' || coalesce(o.amount, 0) AS id
    FROM after_sales c FULL JOIN opened o ON o.case_id = c.id
    WHERE CASE WHEN coalesce(c.refund_amount, 0) = 0 THEN o.refunds IS NOT NULL
            ELSE (o.refunds, o.amount, o.order_id, o.cause) IS DISTINCT FROM (1, c.refund_amount, c.order_id, 'case:' || c.id) END
        OR CASE WHEN c.state IN ('refunding', 'refund_failed') THEN coalesce(c.refund_amount, 0) = 0
            WHEN c.state = 'completed' THEN c.refund_amount IS NULL AND c.type <> 'exchange'
            WHEN c.state <> 'closed' THEN c.refund_amount IS NOT NULL END
    UNION ALL
    SELECT 'refund ' || r.refund_no
    FROM refunds r LEFT JOIN refunds f ON f.refund_no = r.replaces
    WHERE (r.replaces IS NOT NULL AND r.case_id IS DISTINCT FROM f.case_id) OR (r.cause LIKE 'case:%' AND r.case_id IS NULL)
) AS bad;

-- name: audit_after_sales.followed
-- INV-05, when drained. A case is where its refunds are: completed once one of them has succeeded, refunding while one is under way.
WITH known AS (
    SELECT case_id, bool_or(state IN ('succeeded', 'excess', 'released', 'returned')) AS gone,
        bool_or(state IN ('requested', 'submitted', 'unknown', 'deferred')) AS running
    FROM refunds
    WHERE case_id IS NOT NULL
    GROUP BY case_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT c.id || ' ' || c.state AS id
    FROM after_sales c JOIN known k ON k.case_id = c.id
    WHERE CASE c.state WHEN 'completed' THEN NOT k.gone WHEN 'refunding' THEN k.gone OR NOT k.running
        WHEN 'refund_failed' THEN k.gone OR k.running WHEN 'closed' THEN k.gone ELSE true END
) AS bad;

-- name: audit_after_sales.exchanges
-- INV-05, when drained. An exchange case is where its newest exchange order is: it waits for the payment of a difference, its other goods are
-- on their way, or that order and the case have ended. An order that has not gone out holds no goods for a case that sends none, or that has another one.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT c.id || ' ' || c.state || ', order ' || o.id || ' ' || o.state AS id
    FROM after_sales c JOIN exchange_orders e ON e.case_id = c.id JOIN orders o ON o.id = e.order_id
    WHERE CASE WHEN c.state IN ('rejected', 'revoked', 'closed', 'refunding', 'refund_failed')
            OR EXISTS (SELECT FROM exchange_orders n WHERE n.case_id = c.id AND n.order_id > e.order_id)
            OR c.state = 'completed' AND NOT EXISTS (SELECT FROM after_sale_lines l WHERE l.case_id = c.id AND l.replaced_qty > 0)
            THEN o.state IN ('placing', 'awaiting_payment')
        WHEN c.state = 'inspect_passed' THEN o.state <> 'awaiting_payment'
        WHEN c.state = 'reshipping' THEN o.state IN ('rejected', 'cancelled', 'delivered', 'completed')
        ELSE c.state = 'approved' END
) AS bad;

-- name: audit_after_sales.deadlines
-- INV-14. $1 seconds of grace. A case that waits for a person or a carrier, or whose goods wait to be sent back to the buyer, has its timer,
-- which is not overdue by more. No other case has one.
WITH waiting AS (
    SELECT id FROM after_sales
    WHERE state IN ('requested', 'reopened', 'awaiting_return', 'return_in_transit', 'received', 'inspecting', 'inspect_failed', 'refund_failed')
    UNION
    SELECT case_id FROM after_sale_send_backs WHERE sent_at IS NULL
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT coalesce(w.id, t.key) || ' ' || coalesce(c.state, 'unknown') AS id
    FROM waiting w FULL JOIN (SELECT key, due_at FROM timers WHERE kind = 'after_sale') AS t ON t.key = w.id
        LEFT JOIN after_sales c ON c.id = coalesce(w.id, t.key)
    WHERE w.id IS NULL OR t.key IS NULL OR t.due_at < now() - make_interval(secs => $1::float8)
) AS bad;

-- name: audit_after_sales.whole_returns
-- INV-05 (S0-40). An order that was cancelled by its cases has given back every unit, and a case of it was completed; its refund may have
-- failed since.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id::text AS id
    FROM orders o
    WHERE o.state = 'cancelled' AND o.cancel_type = 'aftersale'
        AND (EXISTS (SELECT FROM order_items i WHERE i.order_id = o.id AND i.refunded_qty <> i.qty)
            OR NOT EXISTS (SELECT FROM after_sales c JOIN after_sale_steps s ON s.case_id = c.id
                WHERE c.order_id = o.id AND c.state <> 'closed' AND s.cur_state = 'completed'))
) AS bad;

-- name: audit_after_sales.goods
-- INV-15. $1 seconds of grace, because a message to the stock may be under way. The units that cases accepted are in the stock's ledger again,
-- once, under refs of their cases; others are not. If a parcel of the order came back, too, stock took each unit once, and reported the rest. If stock
-- has its own database, its ledger is not checked. What a line says of its inspections is what their reports add up to.
WITH accepted AS (
    SELECT c.id, c.order_id, sum(l.accepted_qty) AS qty, max(s.at) AS at
    FROM after_sales c JOIN after_sale_lines l ON l.case_id = c.id
    LEFT JOIN (SELECT case_id, max(at) AS at FROM after_sale_steps GROUP BY case_id) AS s ON s.case_id = c.id
    GROUP BY c.id, c.order_id
), back AS (
    SELECT holder_id AS order_id, split_part(ref, ':', 2)::bigint AS id, sum(qty) AS qty
    FROM stock_ledger
    WHERE ref LIKE 'case:%' AND NOT EXISTS (SELECT FROM archived_orders x WHERE x.order_id = holder_id)
    GROUP BY 1, 2
), found AS (
    SELECT case_id, line_no, coalesce(sum(qty) FILTER (WHERE disposition <> 'send_back'), 0) AS accepted,
        coalesce(sum(qty) FILTER (WHERE disposition = 'send_back'), 0) AS refused
    FROM after_sale_inspections
    GROUP BY case_id, line_no
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT id || ', ' || coalesce(a.qty, 0) || ' accepted, ' || coalesce(b.qty, 0) || ' in stock' AS id
    FROM accepted a FULL JOIN back b USING (id, order_id)
    WHERE EXISTS (SELECT FROM stock_holders) AND EXISTS (SELECT FROM orders)
        AND (coalesce(b.qty, 0) > coalesce(a.qty, 0)
            OR (coalesce(b.qty, 0) < a.qty AND a.at <= now() - make_interval(secs => $1::float8)
                AND NOT EXISTS (SELECT FROM stock_ledger p WHERE p.holder_id = order_id AND p.op = 'restock' AND p.ref LIKE 'parcel:%')))
    UNION ALL
    SELECT case_id || '#' || line_no || ', ' || coalesce(f.accepted, 0) || ' accepted and ' || coalesce(f.refused, 0) || ' refused'
    FROM after_sale_lines l FULL JOIN found f USING (case_id, line_no)
    WHERE (l.accepted_qty, l.refused_qty) IS DISTINCT FROM (coalesce(f.accepted, 0), coalesce(f.refused, 0))
) AS bad;

-- name: audit_after_sales.send_backs
-- INV-23. Goods of a case that has ended are with the buyer, taken back, or a warehouse has to send them back: of one that ended without
-- them, all that it has not accepted; of one that an inspection passed, all that it refused; units that went back otherwise stay, and refused
-- units whose buyer may owe them, because the other goods went out at the approval. What goes
-- back comes from the warehouse of its line, and once it has left, a parcel of the case to the buyer holds it.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT c.id || '#' || l.line_no || ' ' || c.state || ', ' || coalesce(b.qty, 0) || ' sent back' AS id
    FROM after_sales c JOIN orders o ON o.id = c.order_id
        JOIN after_sale_lines l ON l.case_id = c.id JOIN order_items i ON i.order_id = c.order_id AND i.line_no = l.line_no
        LEFT JOIN after_sale_send_backs b ON b.case_id = l.case_id AND b.line_no = l.line_no
    WHERE i.refunded_qty + l.qty <= i.qty AND c.received_at IS NOT NULL
            AND c.state IN ('rejected', 'revoked', 'closed') AND coalesce(b.qty, 0) < l.qty - l.accepted_qty
        OR i.refunded_qty + l.refused_qty <= i.qty AND coalesce(b.qty, 0) < l.refused_qty
            AND EXISTS (SELECT FROM after_sale_steps s WHERE s.case_id = c.id AND s.trigger = 'inspection_passed')
            AND NOT (c.type = 'exchange' AND o.policy -> 'after_sale' ->> 'exchange_ships' = 'at_approval'
                AND c.state IN ('inspect_passed', 'reshipping', 'unreturned'))
        OR b.qty > l.qty - l.accepted_qty OR b.warehouse <> i.warehouse
        OR b.parcel_id IS NOT NULL AND NOT EXISTS (
            SELECT FROM shipments p JOIN shipment_items t ON t.shipment_id = p.id
            WHERE p.id = b.parcel_id AND p.case_id = c.id AND p.to_buyer AND (t.order_id, t.line_no, t.qty) = (c.order_id, b.line_no, b.qty))
    UNION ALL
    SELECT 'parcel ' || p.id
    FROM shipments p
    WHERE p.to_buyer AND NOT EXISTS (SELECT FROM after_sale_send_backs b WHERE b.case_id = p.case_id AND b.parcel_id = p.id)
) AS bad;

-- name: audit_after_sales.exchanged
-- INV-15. An exchange that has ended gave goods or money for each unit that it accepted, unless its line has no unit left to give back.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT c.id || '#' || l.line_no || ', ' || l.accepted_qty || ' accepted, ' || l.replaced_qty || ' replaced, ' || l.refunded_qty
        || ' paid' AS id
    FROM after_sales c JOIN after_sale_lines l ON l.case_id = c.id JOIN order_items i ON i.order_id = c.order_id AND i.line_no = l.line_no
    WHERE c.type = 'exchange' AND c.state IN ('completed', 'unreturned') AND l.accepted_qty > l.replaced_qty + l.refunded_qty
        AND i.refunded_qty < i.qty
) AS bad;

-- name: audit_after_sales.arrived
-- INV-15, when drained. Units that a case replaced have arrived: its exchange order has not given them back. Lines of an exchange order are
-- those of its case that have units in it, in order.
WITH newest AS (
    SELECT DISTINCT ON (case_id) case_id, order_id FROM exchange_orders ORDER BY case_id, order_id DESC
), replaced AS (
    SELECT n.order_id, l.case_id, l.line_no, l.replaced_qty, row_number() OVER (PARTITION BY l.case_id ORDER BY l.line_no) AS place
    FROM newest n JOIN after_sale_lines l ON l.case_id = n.case_id AND l.exchange_qty > 0
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT r.case_id || '#' || r.line_no || ', ' || r.replaced_qty || ' replaced' AS id
    FROM replaced r LEFT JOIN order_items i ON i.order_id = r.order_id AND i.line_no = r.place
    WHERE r.replaced_qty > coalesce(i.qty - i.refunded_qty, 0)
) AS bad;
