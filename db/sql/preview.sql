-- name: preview.users
-- $1 user ids. Each user's level, whether the member is blocked, and the points that no order holds. Locks: none.
SELECT u.user_id, m.level, coalesce(m.blocked, false) AS blocked, coalesce(p.balance - p.held, 0) AS points
FROM unnest($1::text[]) AS u (user_id)
LEFT JOIN members m ON m.user_id = u.user_id
LEFT JOIN points_accounts p ON p.user_id = u.user_id;

-- name: preview.carts
-- $1 user ids, $2 how many lines of each at most. The lines of their carts, by SKU. Locks: none.
SELECT c.user_id, c.sku_id, c.qty
FROM unnest($1::text[]) AS u (user_id)
CROSS JOIN LATERAL (
    SELECT user_id, sku_id, qty FROM cart_lines l WHERE l.user_id = u.user_id ORDER BY l.sku_id LIMIT $2::integer
) AS c;

-- name: preview.coupons
-- $1 user ids, $2 how many of each at most, $3 coupon ids. The coupons that the users can still use, those that
-- end first come first; and the named coupons, of any user and in any state. Unknown ids are missing. Locks: none.
SELECT c.coupon_id, c.user_id, c.state, c.order_id, c.name, c.amount, c.currency, c.min_amount, c.scope, c.scope_ids,
    c.channels, c.member_levels, c.valid_from, c.valid_to, false AS wanted
FROM unnest($1::text[]) AS u (user_id)
CROSS JOIN LATERAL (
    SELECT * FROM coupons i
    WHERE i.user_id = u.user_id AND i.state = 'issued'
    ORDER BY i.valid_to, i.coupon_id
    LIMIT $2::integer
) AS c
UNION ALL
SELECT c.coupon_id, c.user_id, c.state, c.order_id, c.name, c.amount, c.currency, c.min_amount, c.scope, c.scope_ids,
    c.channels, c.member_levels, c.valid_from, c.valid_to, true
FROM coupons c
WHERE c.coupon_id = ANY($3::text[]);

-- name: preview.quotas
-- $1 promotion ids. Units left of each limited promotion. Locks: none, so they may be gone when the order is placed.
SELECT promo_id, quantity - sold AS units_left FROM promotion_quotas WHERE promo_id = ANY($1::text[]);

-- name: preview.addresses
-- $1 user ids, $2 how many orders of each to look at. The addresses of their newest orders, newest first. Locks: none.
SELECT o.user_id, a.order_id, a.country, a.key_id, a.ciphertext, k.shop_key_id, k.wrapped
FROM unnest($1::text[]) AS u (user_id)
CROSS JOIN LATERAL (
    SELECT id, user_id FROM orders r
    WHERE r.user_id = u.user_id AND r.parent_id IS NULL AND r.state <> 'rejected' AND NOT r.deleted
        AND r.id < first_order_id(now() + interval '1 minute')
    ORDER BY r.id DESC
    LIMIT $2::integer
) AS o
JOIN order_addresses a ON a.order_id = o.id
LEFT JOIN user_keys k ON k.key_id = a.key_id
ORDER BY o.id DESC;
