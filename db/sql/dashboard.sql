-- Reads the figures of days. No statement here locks anything. workers/domain/dashboard.py says what they mean.

-- name: dashboard.steps
-- $1 numbers of queries, $2 times from which and $3 before which they look, $4 their currencies ('' is any). What happened to the orders
-- in each currency; a currency without a step is missing. The index operate_logs_day has the steps that count. The end of an
-- imported order is none of them.
SELECT q.place, s.currency, s.created, s.paid, s.cancelled, s.unpaid, s.fulfilled, s.unfulfilled, s.timed_out, s.amount
FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[], $4::text[]) AS q (place, since, before, currency)
CROSS JOIN LATERAL (
    SELECT o.currency,
        count(*) FILTER (WHERE o.whole AND l.pre_state = 'placing' AND l.cur_state = 'awaiting_payment') AS created,
        count(*) FILTER (WHERE o.whole AND l.cur_state = 'paid') AS paid,
        count(*) FILTER (WHERE o.whole AND l.cur_state = 'cancelled' AND l.pre_state <> 'reinstating') AS cancelled,
        count(*) FILTER (WHERE o.whole AND l.cur_state = 'cancelled' AND l.pre_state = 'awaiting_payment') AS unpaid,
        count(*) FILTER (WHERE l.cur_state IN ('delivered', 'completed')) AS fulfilled,
        count(*) FILTER (WHERE l.cur_state = 'delivery_failed' OR (l.cur_state = 'cancelled' AND l.remark = 'all_short')) AS unfulfilled,
        count(*) FILTER (WHERE o.whole AND l.cur_state IN ('rejected', 'cancelled') AND l.cause_type = 'timer.due.v1'
            AND l.pre_state IN ('placing', 'awaiting_payment', 'reinstating')) AS timed_out,
        coalesce(sum(o.payable_amount) FILTER (WHERE o.whole AND l.cur_state = 'paid'), 0)::bigint AS amount
    FROM operate_logs l
    CROSS JOIN LATERAL (
        SELECT e.currency, e.payable_amount, e.kind, e.parent_id IS NULL AS whole FROM orders e WHERE e.id = l.order_id OFFSET 0
    ) AS o
    WHERE l.at >= q.since AND l.at < q.before AND o.kind <> 'exchange' AND q.currency IN ('', o.currency)
        AND l.pre_state <> l.cur_state AND l.pre_state <> ''
        AND (l.cur_state IN ('awaiting_payment', 'paid', 'cancelled', 'rejected', 'delivered', 'delivery_failed')
            OR (l.pre_state = 'shipped' AND l.cur_state = 'completed'))
    GROUP BY o.currency
) AS s
ORDER BY q.place, s.currency;

-- name: dashboard.sales
-- $1 to $4 as dashboard.steps. The net sales of the lines of the orders that were paid then, in each currency, also of those lines whose
-- cost is not known, and the cost of the others (null: there are none). A currency without lines is missing.
SELECT q.place, s.currency, s.net_sales, s.without_cost, s.cost
FROM unnest($1::integer[], $2::timestamptz[], $3::timestamptz[], $4::text[]) AS q (place, since, before, currency)
CROSS JOIN LATERAL (
    SELECT o.currency, sum(i.net)::bigint AS net_sales,
        coalesce(sum(i.net) FILTER (WHERE i.purchase_price IS NULL), 0)::bigint AS without_cost,
        sum(i.purchase_price::numeric * i.qty)::bigint AS cost
    FROM operate_logs l
    CROSS JOIN LATERAL (SELECT e.currency, e.kind, e.parent_id FROM orders e WHERE e.id = l.order_id OFFSET 0) AS o
    CROSS JOIN LATERAL (
        SELECT n.qty, n.purchase_price, greatest(0, n.origin_amount - n.promotion_amount - n.coupon_amount - n.points_amount
            - n.adjustment_amount + n.shipping_adjustment) AS net
        FROM order_items n
        WHERE n.order_id = ANY(ARRAY(SELECT c.id FROM orders c WHERE c.root_id = l.order_id AND c.root_id <> c.id) || l.order_id)
        OFFSET 0
    ) AS i
    WHERE l.at >= q.since AND l.at < q.before AND o.kind <> 'exchange' AND o.parent_id IS NULL AND q.currency IN ('', o.currency)
        AND l.cur_state = 'paid' AND l.pre_state <> l.cur_state
        AND (l.cur_state IN ('awaiting_payment', 'paid', 'cancelled', 'rejected', 'delivered', 'delivery_failed')
            OR (l.pre_state = 'shipped' AND l.cur_state = 'completed'))
    GROUP BY o.currency
) AS s
ORDER BY q.place, s.currency;

-- name: dashboard.exceptions
-- $1 times from which and $2 before which to look. How many commands were refused then, in the order of the times; null where some may have
-- been deleted already.
SELECT CASE WHEN q.since >= coalesce((SELECT horizon FROM retention_horizons WHERE name = 'commands'), '-infinity') THEN c.refused END AS refused
FROM unnest($1::timestamptz[], $2::timestamptz[]) WITH ORDINALITY AS q (since, before, place)
CROSS JOIN LATERAL (
    SELECT count(*) AS refused FROM commands r
    WHERE r.decided_at >= q.since AND r.decided_at < q.before AND r.outcome_type IN ('command.rejected.v1', 'order.rejected.v1')
) AS c
ORDER BY q.place;
