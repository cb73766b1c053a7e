-- name: audit_benefits.coupons
-- INV-08. An order locks a coupon, then uses or releases it, and may return what it used. At most one order has it now, and the
-- coupon's row names the order and the state. As in audit.sql: one row, how many violations, and the first five of them; locks: none.
WITH had AS (
    SELECT coupon_id, order_id, string_agg(op, ' ' ORDER BY op) AS ops FROM coupon_ledger GROUP BY coupon_id, order_id
), has AS (
    SELECT coupon_id, count(*) AS orders, min(order_id) AS order_id,
        min(CASE ops WHEN 'lock' THEN 'locked' WHEN 'lock use' THEN 'used' ELSE ops END) AS state
    FROM had
    WHERE ops NOT IN ('lock release', 'lock return use')
    GROUP BY coupon_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT coupon_id AS id
    FROM coupons c FULL JOIN has h USING (coupon_id)
    WHERE CASE WHEN h.orders IS NULL THEN c.state NOT IN ('issued', 'expired') OR c.order_id IS NOT NULL
            ELSE (h.orders, h.state, h.order_id) IS DISTINCT FROM (1, c.state, c.order_id) END
        OR (c.state = 'expired' AND c.valid_to > now())
) AS bad;

-- name: audit_benefits.points
-- INV-09. An account equals the sum of its ledger and never holds more than its balance. An account without a ledger is empty.
WITH folded AS (
    SELECT user_id,
        sum(CASE WHEN op IN ('grant', 'award', 'return') THEN points WHEN op IN ('use', 'revoke') THEN -points ELSE 0 END)
            AS balance,
        sum(CASE WHEN op = 'hold' THEN points WHEN op IN ('release', 'use') THEN -points ELSE 0 END) AS held,
        sum(CASE op WHEN 'revoke' THEN -growth ELSE growth END) AS growth
    FROM points_ledger
    GROUP BY user_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT user_id AS id
    FROM points_accounts a FULL JOIN folded f USING (user_id)
    WHERE (coalesce(f.balance, 0), coalesce(f.held, 0), coalesce(f.growth, 0)) IS DISTINCT FROM (a.balance, a.held, a.growth)
        OR NOT (0 <= a.held AND a.held <= a.balance)
) AS bad;

-- name: audit_benefits.earned
-- INV-09. A completed order awards the points of its goods once: all of them if nothing was given back, never more. It never revokes
-- more than it awarded.
WITH given AS (
    SELECT r.order_id
    FROM refunds r JOIN payment_facts f USING (provider, trade_no)
    WHERE f.kind = 'captured' AND f.verdict = 'kept'
    UNION
    SELECT order_id FROM order_items WHERE refunded_qty > 0
), booked AS (
    SELECT order_id, user_id, count(*) FILTER (WHERE op = 'award') AS awards,
        coalesce(sum(points) FILTER (WHERE op = 'award'), 0) AS points, coalesce(sum(growth) FILTER (WHERE op = 'award'), 0) AS growth,
        coalesce(sum(points) FILTER (WHERE op = 'revoke'), 0) AS points_lost,
        coalesce(sum(growth) FILTER (WHERE op = 'revoke'), 0) AS growth_lost
    FROM points_ledger
    WHERE op IN ('award', 'revoke')
    GROUP BY order_id, user_id
), earning AS (
    SELECT o.id, o.user_id, o.gift_points, o.gift_growth, g.order_id IS NULL AS whole
    FROM orders o LEFT JOIN given g ON g.order_id = o.id
    WHERE o.kind <> 'split_parent' AND o.state = 'completed' AND o.gift_points + o.gift_growth > 0
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT coalesce(e.id, b.order_id)::text AS id
    FROM earning e FULL JOIN booked b ON b.order_id = e.id AND b.user_id = e.user_id
    WHERE e.id IS NULL OR b.awards > 1 OR b.points > e.gift_points OR b.growth > e.gift_growth
        OR b.points_lost > b.points OR b.growth_lost > b.growth
        OR (e.whole AND (b.points - b.points_lost, b.growth - b.growth_lost) IS DISTINCT FROM (e.gift_points, e.gift_growth))
) AS bad;

-- name: audit_benefits.limits
-- INV-09. The counter of a limited price equals the units that orders have, and never exceeds its quantity.
WITH live AS (SELECT promo_id, sum(units) AS units FROM promotion_uses WHERE returned_at IS NULL GROUP BY promo_id)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT promo_id AS id
    FROM promotion_quotas q LEFT JOIN live l USING (promo_id)
    WHERE q.sold <> coalesce(l.units, 0) OR q.sold > q.quantity
) AS bad;

-- name: audit_benefits.follow_orders
-- INV-05, INV-08, INV-09. Coupon, points and limited prices of a root order follow its state: held until it is paid, then used;
-- free again if it ends unpaid; given back if all of it is cancelled later. Before that, points come back only with units or money.
-- Nothing else holds a benefit, and limited prices are those of the order's lines.
WITH gone AS (
    SELECT parent_id AS id FROM orders WHERE kind = 'split_child' GROUP BY parent_id HAVING bool_and(state = 'cancelled')
), given AS (
    SELECT o.root_id
    FROM refunds r JOIN payment_facts f USING (provider, trade_no) JOIN orders o ON o.id = r.order_id
    WHERE f.kind = 'captured' AND f.verdict = 'kept'
    UNION
    SELECT o.root_id FROM order_items i JOIN orders o ON o.id = i.order_id WHERE i.refunded_qty > 0
), roots AS (
    SELECT o.id, o.user_id, o.state, o.coupon_id, o.use_points, o.quota_units,
        CASE WHEN b.root_id IS NULL THEN 0 ELSE o.use_points END AS back_max,
        CASE WHEN o.state IN ('placing', 'awaiting_payment') THEN 'held' WHEN o.paid_at IS NULL THEN 'free'
            WHEN o.state = 'cancelled' OR g.id IS NOT NULL THEN 'returned' ELSE 'used' END AS benefits
    FROM orders o LEFT JOIN gone g USING (id) LEFT JOIN given b ON b.root_id = o.id
    WHERE o.kind <> 'split_child'
), coupon AS (
    SELECT l.order_id, l.coupon_id, c.user_id, string_agg(l.op, ' ' ORDER BY l.op) AS ops
    FROM coupon_ledger l LEFT JOIN coupons c USING (coupon_id)
    GROUP BY l.order_id, l.coupon_id, c.user_id
), points AS (
    SELECT order_id, user_id, coalesce(sum(points) FILTER (WHERE op = 'hold'), 0) AS held,
        coalesce(sum(points) FILTER (WHERE op = 'use'), 0) AS used, coalesce(sum(points) FILTER (WHERE op = 'release'), 0) AS free,
        coalesce(sum(points) FILTER (WHERE op = 'return'), 0) AS returned
    FROM points_ledger
    WHERE op IN ('hold', 'use', 'release', 'return')
    GROUP BY order_id, user_id
), sold AS (
    SELECT o.root_id AS order_id, i.promotion_id AS promo_id, o.user_id, sum(i.quota_units) AS units
    FROM order_items i JOIN orders o ON o.id = i.order_id
    WHERE i.quota_units > 0
    GROUP BY o.root_id, i.promotion_id, o.user_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT coalesce(r.id, c.order_id) || ' ' || coalesce(r.state, 'unknown') || ', coupon ' || coalesce(c.ops, 'untouched') AS id
    FROM (SELECT * FROM roots WHERE coupon_id IS NOT NULL) AS r
    FULL JOIN coupon c ON c.order_id = r.id AND c.coupon_id = r.coupon_id
    WHERE c.user_id IS DISTINCT FROM r.user_id
        OR c.ops IS DISTINCT FROM CASE r.benefits WHEN 'held' THEN 'lock' WHEN 'free' THEN 'lock release'
            WHEN 'used' THEN 'lock use' ELSE 'lock return use' END
    UNION ALL
    SELECT coalesce(r.id, p.order_id) || ' ' || coalesce(r.state, 'unknown') || ', points '
        || coalesce(format('held %s, used %s, free %s, back %s', p.held, p.used, p.free, p.returned), 'untouched')
    FROM (SELECT * FROM roots WHERE use_points <> 0) AS r
    FULL JOIN points p ON p.order_id = r.id
    WHERE p.user_id IS DISTINCT FROM r.user_id OR p.held <> r.use_points
        OR p.used <> CASE WHEN r.benefits IN ('used', 'returned') THEN r.use_points ELSE 0 END
        OR p.free <> CASE r.benefits WHEN 'free' THEN r.use_points ELSE 0 END
        OR CASE r.benefits WHEN 'used' THEN p.returned > r.back_max WHEN 'returned' THEN p.returned <> r.use_points
            ELSE p.returned <> 0 END
    UNION ALL
    SELECT order_id || ' ' || coalesce(r.state, 'unknown') || ', promotion ' || promo_id
    FROM sold s FULL JOIN promotion_uses u USING (order_id, promo_id) LEFT JOIN roots r ON r.id = order_id
    WHERE (u.units, u.user_id) IS DISTINCT FROM (s.units, s.user_id)
        OR (u.returned_at IS NULL) IS DISTINCT FROM (r.benefits IN ('held', 'used'))
    UNION ALL
    SELECT r.id || ' ' || r.state || ', ' || r.quota_units || ' units at a limited price'
    FROM roots r LEFT JOIN (SELECT order_id, sum(units) AS units FROM promotion_uses GROUP BY order_id) AS u ON u.order_id = r.id
    WHERE r.quota_units <> coalesce(u.units, 0)
) AS bad;
