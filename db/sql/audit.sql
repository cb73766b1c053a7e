-- name: audit.stock_counters
-- INV-01. Every audit statement answers with one row: how many violations, and the first five of them. Locks: none.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (SELECT sku_id || '@' || warehouse AS id FROM stock WHERE NOT (0 <= locked AND locked <= on_hand)) AS bad;

-- name: audit.stock_ledger
-- INV-02. A counter without ledger and a ledger without counter count as well.
WITH folded AS (
    SELECT sku_id, warehouse,
        sum(CASE op WHEN 'receive' THEN qty WHEN 'adjust' THEN qty WHEN 'restock' THEN qty WHEN 'commit' THEN -qty ELSE 0 END) AS on_hand,
        sum(CASE op WHEN 'reserve' THEN qty WHEN 'commit' THEN -qty WHEN 'release' THEN -qty ELSE 0 END) AS locked
    FROM stock_ledger
    GROUP BY sku_id, warehouse
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT sku_id || '@' || warehouse AS id
    FROM stock s FULL JOIN folded f USING (sku_id, warehouse)
    WHERE coalesce(s.on_hand, 0) <> coalesce(f.on_hand, 0) OR coalesce(s.locked, 0) <> coalesce(f.locked, 0)
) AS bad;

-- name: audit.stock_holds
-- INV-03. Holder 0 is nobody: goods that arrive, and corrections.
WITH held AS (
    SELECT holder_id, sku_id, warehouse,
        count(*) FILTER (WHERE op = 'reserve') AS reserves,
        count(*) FILTER (WHERE op IN ('commit', 'release')) AS ends,
        coalesce(sum(qty) FILTER (WHERE op = 'reserve'), 0) AS reserved,
        coalesce(sum(qty) FILTER (WHERE op = 'commit'), 0) AS committed,
        coalesce(sum(qty) FILTER (WHERE op = 'release'), 0) AS released,
        coalesce(sum(qty) FILTER (WHERE op = 'restock'), 0) AS restocked
    FROM stock_ledger
    WHERE holder_id <> 0
    GROUP BY holder_id, sku_id, warehouse
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT h.holder_id || ':' || h.sku_id || '@' || h.warehouse AS id
    FROM held h LEFT JOIN stock_holders s USING (holder_id)
    WHERE h.reserves <> 1 OR h.ends > 1 OR h.restocked > h.committed
        OR (h.committed <> 0 AND h.committed <> h.reserved) OR (h.released <> 0 AND h.released <> h.reserved)
        OR CASE s.state
            WHEN 'reserved' THEN h.ends <> 0
            WHEN 'released' THEN h.released = 0
            WHEN 'committed' THEN h.committed = 0
            WHEN 'restocked' THEN h.restocked <> h.reserved
            ELSE true END
) AS bad;

-- name: audit.refunds_within_captures
-- INV-04. Per capture; a refund of a capture that nobody reported is one too many.
WITH refunded AS (
    SELECT channel, trade_no, sum(amount) AS amount FROM refunds WHERE state <> 'failed' GROUP BY channel, trade_no
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT r.channel || ':' || r.trade_no AS id
    FROM refunded r LEFT JOIN payment_facts f ON f.channel = r.channel AND f.trade_no = r.trade_no AND f.kind = 'captured'
    WHERE r.amount > coalesce(f.amount, 0)
) AS bad;

-- name: audit.money_goes_back
-- INV-05, while work is under way: every capture that is not kept, and every capture of an order that ended without goods,
-- has refunds of exactly its amount, asked for in the transaction that decided it.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT f.order_id || ' ' || f.channel || ':' || f.trade_no AS id
    FROM payment_facts f
    JOIN orders o ON o.id = f.order_id
    LEFT JOIN (SELECT channel, trade_no, sum(amount) AS amount FROM refunds GROUP BY channel, trade_no) AS r
        ON r.channel = f.channel AND r.trade_no = f.trade_no
    WHERE f.kind = 'captured' AND (f.verdict <> 'kept' OR o.state IN ('cancelled', 'rejected'))
        AND f.amount <> coalesce(r.amount, 0)
) AS bad;

-- name: audit.money_is_back
-- INV-05, when drained: the refunds of all that money have succeeded.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT f.order_id || ' ' || f.channel || ':' || f.trade_no AS id
    FROM payment_facts f
    JOIN orders o ON o.id = f.order_id
    LEFT JOIN (SELECT channel, trade_no, sum(amount) AS amount FROM refunds WHERE state = 'succeeded' GROUP BY channel, trade_no) AS r
        ON r.channel = f.channel AND r.trade_no = f.trade_no
    WHERE f.kind = 'captured' AND (f.verdict <> 'kept' OR o.state IN ('cancelled', 'rejected'))
        AND f.amount <> coalesce(r.amount, 0)
) AS bad;

-- name: audit.stock_follows_orders
-- INV-05 and INV-19. $1 grace in seconds: a message to the stock may be on its way for so long. Nothing is checked where
-- stock has a database of its own.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.state || ', stock ' || coalesce(h.state, 'unknown') AS id
    FROM orders o LEFT JOIN stock_holders h ON h.holder_id = o.id
    WHERE o.state NOT IN ('placing', 'split')
        AND EXISTS (SELECT FROM stock_holders)
        AND o.updated_at <= now() - make_interval(secs => $1::float8)
        AND coalesce(h.state, 'unknown') <> ALL (CASE
            WHEN o.state = 'awaiting_payment' THEN ARRAY['reserved']
            WHEN o.state = 'rejected' THEN ARRAY['refused', 'released']
            WHEN o.state <> 'cancelled' OR o.cancel_type = 'delivery_failed' THEN ARRAY['committed', 'restocked']
            WHEN o.paid_at IS NULL THEN ARRAY['released']
            ELSE ARRAY['restocked'] END)
) AS bad;

-- name: audit.paid_orders
-- INV-06. Exactly one kept capture of the payable amount, none where nothing is payable, and none before payment.
WITH kept AS (
    SELECT order_id, count(*) AS captures, sum(amount) AS amount, min(currency) AS currency
    FROM payment_facts
    WHERE verdict = 'kept'
    GROUP BY order_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.state AS id
    FROM orders o LEFT JOIN kept k ON k.order_id = o.id
    WHERE o.kind <> 'split_child'
        AND CASE
            WHEN o.payable_amount = 0 OR o.state IN ('placing', 'awaiting_payment', 'rejected')
                OR (o.state = 'cancelled' AND o.paid_at IS NULL) THEN k.captures IS NOT NULL
            ELSE (k.captures, k.amount, k.currency) IS DISTINCT FROM (1, o.payable_amount, o.currency) END
) AS bad;

-- name: audit.money_totals
-- INV-06. Captured counts every captured fact, refunded every refund that succeeded, both in the order's currency.
WITH captured AS (
    SELECT order_id, currency, sum(amount) AS amount FROM payment_facts WHERE kind = 'captured' GROUP BY order_id, currency
), refunded AS (
    SELECT order_id, currency, sum(amount) AS amount FROM refunds WHERE state = 'succeeded' GROUP BY order_id, currency
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
-- INV-07. Lines add up to their order, children to their parent.
WITH lines AS (
    SELECT order_id, sum(payable_amount) AS payable, sum(origin_amount) AS origin, sum(shipping_share) AS shipping
    FROM order_items
    GROUP BY order_id
), children AS (
    SELECT parent_id, sum(payable_amount) AS payable FROM orders WHERE parent_id IS NOT NULL GROUP BY parent_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id::text AS id
    FROM orders o LEFT JOIN lines l ON l.order_id = o.id LEFT JOIN children c ON c.parent_id = o.id
    WHERE coalesce(l.payable, c.payable, -1) <> o.payable_amount
        OR coalesce(l.origin, o.origin_amount) <> o.origin_amount
        OR coalesce(l.shipping, o.shipping_fee) <> o.shipping_fee
        OR coalesce(c.payable, o.payable_amount) <> o.payable_amount
) AS bad;

-- name: audit.histories
-- INV-10. Versions 1..n without a gap, each step from where the last one led.
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
-- INV-11. The last log row of an order is where the order is.
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
-- INV-12. A command is undecided only while its order is being placed; what order.create answered is what became of it.
WITH creates AS (
    SELECT c.request_id, c.scope, c.outcome_type, c.outcome ->> 'order_id' AS told, o.id, o.state
    FROM commands c
    FULL JOIN orders o ON c.scope = 'order.create:' || o.user_id AND c.request_id = o.request_id
    WHERE coalesce(c.type, 'order.create.v1') = 'order.create.v1' AND coalesce(o.kind, 'sale') = 'sale'
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT coalesce(id::text, scope || ' ' || request_id) AS id
    FROM creates
    WHERE scope IS NULL
        OR CASE
            WHEN outcome_type IS NULL THEN state IS DISTINCT FROM 'placing'
            WHEN outcome_type = 'command.rejected.v1' THEN id IS NOT NULL
            WHEN outcome_type = 'order.rejected.v1' THEN state IS DISTINCT FROM 'rejected' OR told IS DISTINCT FROM id::text
            WHEN outcome_type = 'order.created.v1' THEN id IS NULL OR state IN ('placing', 'rejected') OR told IS DISTINCT FROM id::text
            ELSE true END
    UNION ALL
    SELECT scope || ' ' || request_id FROM commands WHERE outcome_type IS NULL AND type <> 'order.create.v1'
) AS bad;

-- name: audit.undecided
-- INV-12, when drained: every command has its outcome.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (SELECT scope || ' ' || request_id AS id FROM commands WHERE outcome_type IS NULL) AS bad;

-- name: audit.order_numbers
-- INV-13. One number, one order; a number from the moment the order can be paid.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_no AS id FROM orders WHERE order_no IS NOT NULL GROUP BY order_no HAVING count(*) > 1
    UNION ALL
    SELECT id::text FROM orders WHERE order_no IS NULL AND state NOT IN ('placing', 'rejected')
) AS bad;

-- name: audit.deadlines
-- INV-14. $1 grace in seconds. An order that waits has its timer, and the timer is not long overdue.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.state AS id
    FROM orders o
    JOIN (VALUES ('placing', 'saga'), ('awaiting_payment', 'payment'), ('delivered', 'receipt')) AS wait (state, kind)
        ON wait.state = o.state
    LEFT JOIN timers t ON t.kind = wait.kind AND t.key = o.id
    WHERE t.due_at IS NULL OR t.due_at < now() - make_interval(secs => $1::float8)
) AS bad;

-- name: audit.placing
-- INV-14, when drained: nothing is being placed.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (SELECT id::text AS id FROM orders WHERE state = 'placing') AS bad;

-- name: audit.timers
-- INV-14. $1 grace in seconds: a timer whose order needs it no more is dropped when it is next woken, at the latest.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT t.kind || ' ' || t.key AS id
    FROM timers t
    LEFT JOIN orders o ON o.id = t.key
    WHERE o.state IS DISTINCT FROM CASE t.kind WHEN 'saga' THEN 'placing' WHEN 'payment' THEN 'awaiting_payment' ELSE 'delivered' END
        AND t.due_at < now() - make_interval(secs => $1::float8)
) AS bad;

-- name: audit.finished_timers
-- INV-14, when drained: a finished order has no timer.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT t.kind || ' ' || t.key AS id FROM timers t LEFT JOIN orders o ON o.id = t.key
    WHERE o.id IS NULL OR o.state IN ('cancelled', 'completed', 'rejected')
) AS bad;

-- name: audit.refunded_lines
-- INV-15. Never more units or money than were bought, never more in refunds than the lines know of.
WITH given AS (SELECT order_id, line_no, sum(amount) AS amount FROM refund_lines GROUP BY order_id, line_no)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || '#' || line_no AS id
    FROM order_items i FULL JOIN given g USING (order_id, line_no)
    WHERE i.qty IS NULL OR i.refunded_qty NOT BETWEEN 0 AND i.qty OR i.refunded_amount NOT BETWEEN 0 AND i.payable_amount
        OR coalesce(g.amount, 0) > i.refunded_amount
) AS bad;

-- name: audit.parcels
-- INV-15. Never more units in parcels than were bought.
WITH packed AS (
    SELECT i.order_id, i.line_no, sum(i.qty) AS qty
    FROM shipment_items i JOIN shipments s ON s.id = i.shipment_id
    WHERE s.state <> 'cancelled'
    GROUP BY i.order_id, i.line_no
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT p.order_id || '#' || p.line_no AS id
    FROM packed p LEFT JOIN order_items i USING (order_id, line_no)
    WHERE p.qty > coalesce(i.qty, 0)
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
-- INV-17. $1 and $2: the pairs of states that the transition table knows.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT l.order_id || ' ' || l.version || ' ' || l.pre_state || '>' || l.cur_state AS id
    FROM operate_logs l
    WHERE (l.pre_state, l.cur_state) NOT IN (SELECT * FROM unnest($1::text[], $2::text[]))
) AS bad;

-- name: audit.personal_data
-- INV-18. Keys of addresses in anything stored in clear, and mobile numbers in texts about failures.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT 'snapshot ' || order_id || '/' || type AS id FROM order_snapshots
    WHERE data::text ~ '"(phone|receiver|detail|street)"\s*:'
    UNION ALL
    SELECT 'command ' || scope || ' ' || request_id FROM commands WHERE outcome::text ~ '"(phone|receiver|street)"\s*:'
    UNION ALL
    SELECT 'outbox ' || id FROM outbox
    WHERE key_id IS NULL AND (type IN ('order.create.v1', 'order.change_address.v1')
        OR position('"phone"'::bytea IN body) > 0 OR position('"receiver"'::bytea IN body) > 0)
    UNION ALL
    SELECT 'dead letter ' || id FROM dead_letters WHERE error_message ~ '\m1[3-9][0-9]{9}\M'
    UNION ALL
    SELECT 'log ' || order_id || ' ' || version FROM operate_logs WHERE remark ~ '\m1[3-9][0-9]{9}\M'
) AS bad;

-- name: audit.outbox_age
-- INV-19. $1 grace in seconds: what is announced is published within it.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.type || coalesce(' held: ' || h.reason, '') AS id
    FROM outbox o LEFT JOIN outbox_holds h ON h.stream = o.stream
    WHERE o.created_at <= now() - make_interval(secs => $1::float8)
) AS bad;
