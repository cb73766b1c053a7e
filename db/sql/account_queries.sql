-- Reads for the queries about users' carts, coupons and points, and about stock. No statement here locks anything.

-- name: account_queries.carts
-- $1 user ids, $2 how many lines of each at most. The lines of their carts, by SKU, with what the catalogue says of each.
SELECT c.user_id, c.sku_id, c.qty, s.name, s.price, s.currency, coalesce(s.on_sale, false) AS on_sale
FROM unnest($1::text[]) AS u (user_id)
CROSS JOIN LATERAL (
    SELECT l.user_id, l.sku_id, l.qty FROM cart_lines l WHERE l.user_id = u.user_id ORDER BY l.sku_id LIMIT $2::integer
) AS c
LEFT JOIN skus s ON s.sku_id = c.sku_id
ORDER BY c.user_id, c.sku_id;

-- name: account_queries.coupons
-- $1 user ids and $2 their coupons' states, one of each for each element, $3 the page of the element, $4 how many of each at most. The
-- coupons, those that end first come first.
SELECT q.page, c.*
FROM unnest($1::text[], $2::text[], $3::integer[]) AS q (user_id, state, page)
CROSS JOIN LATERAL (
    SELECT i.coupon_id, i.name, i.state, i.order_id, i.amount, i.min_amount, i.currency, i.scope, i.scope_ids, i.channels, i.valid_from,
        i.valid_to
    FROM coupons i
    WHERE i.user_id = q.user_id AND i.state = q.state
    ORDER BY i.valid_to, i.coupon_id
    LIMIT $4::integer
) AS c
ORDER BY q.page, c.valid_to, c.coupon_id;

-- name: account_queries.points
-- $1 user ids. The level, the points and the growth of each; who has none has zeros.
SELECT u.user_id, m.level, coalesce(p.balance, 0) AS balance, coalesce(p.held, 0) AS held, coalesce(p.growth, 0) AS growth
FROM unnest($1::text[]) AS u (user_id)
LEFT JOIN members m ON m.user_id = u.user_id
LEFT JOIN points_accounts p ON p.user_id = u.user_id;

-- name: account_queries.points_entries
-- $1 user ids, $2 how many of each at most. The newest entries of their points ledgers, newest first.
SELECT l.*
FROM unnest($1::text[]) AS u (user_id)
CROSS JOIN LATERAL (
    SELECT e.user_id, e.op, e.points, e.growth, e.ref, e.order_id, e.at FROM points_ledger e
    WHERE e.user_id = u.user_id ORDER BY e.at DESC, e.op, e.ref LIMIT $2::integer
) AS l
ORDER BY l.user_id, l.at DESC, l.op, l.ref;

-- name: account_queries.stock
-- $1 SKU ids. What each warehouse has of them.
SELECT sku_id, warehouse, on_hand, locked, quarantined, low_units FROM stock WHERE sku_id = ANY($1::text[]) ORDER BY sku_id, warehouse;
