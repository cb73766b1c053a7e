-- name: audit_benefits.coupons
-- INV-08. An order locks a coupon, then uses or releases it, and may return what it used. At most one order has it now, and the
-- coupon's row names the order and the state. As in audit.sql: one row, how many violations, and the first five of them; locks: none.
WITH had AS (
    SELECT coupon_id, order_id, string_agg(op, ' ' ORDER BY op) AS ops FROM coupon_ledger GROUP BY coupon_id, order_id
), has AS (
    SELECT coupon_id, count(*) AS orders, min(order_id) AS order_id,
        min(CASE ops WHEN 'lock' THEN 'locked' WHEN 'lock release relock' THEN 'locked' WHEN 'lock use' THEN 'used'
            WHEN 'lock release relock use' THEN 'used' ELSE ops END) AS state
    FROM had
    WHERE ops NOT IN ('lock release', 'lock return use', 'lock release relock rerelease', 'lock release relock return use')
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
        sum(CASE WHEN op IN ('grant', 'award', 'restore', 'return', 'add') THEN points
            WHEN op IN ('use', 'reclaim', 'revoke', 'deduct') THEN -points ELSE 0 END) AS balance,
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
-- INV-09. A completed order awards the points of its goods once, and keeps exactly what it still earns after everything that has gone
-- back; more only if the account had not enough free when a refund took its part. Growth is never short. One of which everything came
-- back earns nothing.
WITH booked AS (
    SELECT order_id, user_id, count(*) FILTER (WHERE op = 'award') AS awards,
        sum(CASE op WHEN 'revoke' THEN -points ELSE points END) AS points, sum(CASE op WHEN 'revoke' THEN -growth ELSE growth END) AS growth,
        max(short) AS short
    FROM points_ledger l
    WHERE op IN ('award', 'revoke', 'restore') AND NOT EXISTS (SELECT FROM archived_orders x WHERE x.order_id = l.order_id)
    GROUP BY order_id, user_id
), earning AS (
    SELECT o.id, o.user_id, o.gift_points - v.gift_points AS points, o.gift_growth - v.gift_growth AS growth,
        least(greatest(v.refunded - v.line_amount, 0), o.payable_amount - v.line_amount) AS goodwill, o.payable_amount - v.line_amount AS paid
    FROM orders o JOIN returned_values v ON v.order_id = o.id
    WHERE (o.state = 'completed' OR (o.state = 'cancelled' AND o.completed_at IS NOT NULL)) AND o.gift_points + o.gift_growth > 0
), due AS (
    SELECT id, user_id, points - coalesce(div(points::numeric * goodwill, nullif(paid, 0)), 0) AS points,
        growth - coalesce(div(growth::numeric * goodwill, nullif(paid, 0)), 0) AS growth
    FROM earning
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT coalesce(d.id, b.order_id) || ' earned ' || coalesce(b.points, 0) || ' and ' || coalesce(b.growth, 0) || ', due '
        || coalesce(d.points, 0) || ' and ' || coalesce(d.growth, 0) AS id
    FROM due d FULL JOIN booked b ON b.order_id = d.id AND b.user_id = d.user_id
    WHERE d.id IS NULL OR b.awards > 1 OR coalesce(b.growth, 0) <> d.growth
        OR coalesce(b.points, 0) NOT BETWEEN d.points AND d.points + coalesce(b.short, 0)
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
-- free again if it ends unpaid; given back if all of it is cancelled later. Before that, exactly those points are back that paid for
-- returned units, and a share for money that went back besides; more only if the account had not enough free when a refund failed.
-- Nothing else holds a benefit, and limited prices are those of the order's lines.
WITH gone AS (
    SELECT parent_id AS id FROM orders WHERE kind = 'split_child' GROUP BY parent_id HAVING bool_and(state = 'cancelled')
), gone_back AS (
    SELECT o.id, o.use_points, div(o.use_points * least(sum(v.points_amount), o.points_amount), nullif(o.points_amount, 0)) AS lines,
        sum(greatest(v.refunded - v.line_amount, 0)) AS goodwill, o.payable_amount - sum(v.line_amount) AS paid
    FROM orders o JOIN returned_values v ON v.root_id = o.id
    WHERE o.use_points > 0 AND o.paid_at IS NOT NULL
    GROUP BY o.id, o.use_points, o.points_amount, o.payable_amount
), due AS (
    SELECT id, lines + coalesce(div((use_points - lines) * least(goodwill, paid), nullif(paid, 0)), 0) AS points FROM gone_back
), roots AS (
    SELECT o.id, o.user_id, o.state, o.coupon_id, o.use_points, o.quota_units,
        coalesce(d.points, 0) AS due_back,
        CASE WHEN o.state IN ('placing', 'awaiting_payment', 'reinstating') THEN 'held' WHEN o.paid_at IS NULL THEN 'free'
            WHEN o.state = 'cancelled' OR g.id IS NOT NULL THEN 'returned' ELSE 'used' END AS benefits
    FROM orders o LEFT JOIN gone g USING (id) LEFT JOIN due d USING (id)
    WHERE o.kind <> 'split_child'
), coupon AS (
    SELECT l.order_id, l.coupon_id, c.user_id, string_agg(l.op, ' ' ORDER BY l.op) AS ops
    FROM coupon_ledger l LEFT JOIN coupons c USING (coupon_id)
    WHERE NOT EXISTS (SELECT FROM archived_orders x WHERE x.order_id = l.order_id)
    GROUP BY l.order_id, l.coupon_id, c.user_id
), points AS (
    SELECT order_id, user_id, coalesce(sum(points) FILTER (WHERE op = 'hold'), 0) AS held,
        coalesce(sum(points) FILTER (WHERE op = 'use'), 0) AS used, coalesce(sum(points) FILTER (WHERE op = 'release'), 0) AS free,
        coalesce(sum(CASE op WHEN 'return' THEN points WHEN 'reclaim' THEN -points END), 0) AS returned, max(short) AS short
    FROM points_ledger l
    WHERE op IN ('hold', 'use', 'release', 'return', 'reclaim') AND NOT EXISTS (SELECT FROM archived_orders x WHERE x.order_id = l.order_id)
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
        OR regexp_replace(replace(c.ops, 'lock release relock', 'lock'), 'rerelease', 'release') IS DISTINCT FROM CASE r.benefits WHEN 'held' THEN 'lock' WHEN 'free' THEN 'lock release'
            WHEN 'used' THEN 'lock use' ELSE 'lock return use' END
    UNION ALL
    SELECT coalesce(r.id, p.order_id) || ' ' || coalesce(r.state, 'unknown') || ', points '
        || coalesce(format('held %s, used %s, free %s, back %s of %s', p.held, p.used, p.free, p.returned, r.due_back), 'untouched')
    FROM (SELECT * FROM roots WHERE use_points <> 0) AS r
    FULL JOIN points p ON p.order_id = r.id
    WHERE p.user_id IS DISTINCT FROM r.user_id OR p.held NOT IN (r.use_points, 2 * r.use_points)
        OR p.used <> CASE WHEN r.benefits IN ('used', 'returned') THEN r.use_points ELSE 0 END
        OR p.held - p.free <> CASE r.benefits WHEN 'free' THEN 0 ELSE r.use_points END
        OR CASE r.benefits WHEN 'used' THEN p.returned NOT BETWEEN r.due_back AND r.due_back + p.short WHEN 'returned' THEN p.returned <> r.use_points
            ELSE p.returned <> 0 END
    UNION ALL
    SELECT order_id || ' ' || coalesce(r.state, 'unknown') || ', promotion ' || promo_id
    FROM sold s FULL JOIN promotion_uses u USING (order_id, promo_id) LEFT JOIN roots r ON r.id = order_id
    WHERE NOT EXISTS (SELECT FROM archived_orders x WHERE x.order_id = u.order_id) AND ((u.units, u.user_id) IS DISTINCT FROM (s.units, s.user_id)
        OR (u.returned_at IS NULL) IS DISTINCT FROM (r.benefits IN ('held', 'used')))
    UNION ALL
    SELECT r.id || ' ' || r.state || ', ' || r.quota_units || ' units at a limited price'
    FROM roots r LEFT JOIN (SELECT order_id, sum(units) AS units FROM promotion_uses GROUP BY order_id) AS u ON u.order_id = r.id
    WHERE r.quota_units <> coalesce(u.units, 0)
) AS bad;
