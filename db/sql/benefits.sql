-- name: benefits.lock_coupons
-- $1 coupon ids. Locks: the coupons, in id order. Unknown ids are missing.
SELECT coupon_id, user_id, state, order_id, name, amount, currency, min_amount, scope, scope_ids, channels, member_levels,
    valid_from, valid_to
FROM coupons
WHERE coupon_id = ANY($1::text[])
ORDER BY coupon_id
FOR UPDATE;

-- name: benefits.create_accounts
-- $1 user ids, sorted. Inserts the accounts that do not exist yet.
INSERT INTO points_accounts (user_id) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING;

-- name: benefits.lock_accounts
-- $1 user ids. Locks: their accounts, in id order. Users without an account are missing.
SELECT user_id, balance, held, growth FROM points_accounts WHERE user_id = ANY($1::text[]) ORDER BY user_id FOR UPDATE;

-- name: benefits.lock_quotas
-- $1 promotion ids. Units left of each limited promotion. Locks: the quotas, in id order.
SELECT promo_id, quantity - sold AS units_left FROM promotion_quotas WHERE promo_id = ANY($1::text[]) ORDER BY promo_id FOR UPDATE;

-- name: benefits.quota_used
-- $1 user ids (locked), $2 promotion ids. Units each user bought under each promotion and did not give back.
SELECT user_id, promo_id, sum(units)::bigint AS units
FROM promotion_uses
WHERE user_id = ANY($1::text[]) AND promo_id = ANY($2::text[]) AND returned_at IS NULL
GROUP BY user_id, promo_id;

-- name: benefits.worth
-- $1 root ids (locked). What has gone back of each of their orders that carry goods.
SELECT order_id, root_id, points_amount, gift_points, gift_growth, line_amount, refunded
FROM returned_values
WHERE order_id = ANY(ARRAY(
    SELECT unnest($1::bigint[])
    UNION ALL
    SELECT c.id FROM orders c WHERE c.root_id = ANY($1) AND c.root_id <> c.id
));

-- name: benefits.booked
-- $1 order ids (locked). Points and growth in each order's ledger, by operation.
SELECT order_id, op, sum(points)::bigint AS points, sum(growth)::bigint AS growth
FROM points_ledger
WHERE order_id = ANY($1::bigint[])
GROUP BY order_id, op;

-- name: benefits.save_coupons
-- $1 coupon ids (locked), $2 states, $3 order ids.
UPDATE coupons c
SET state = n.state, order_id = n.order_id, updated_at = clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS n (coupon_id, state, order_id)
WHERE c.coupon_id = ANY (ARRAY[n.coupon_id]);

-- name: benefits.log_coupons
-- Inserts one row per step of a coupon. The same step for the same order makes it fail.
INSERT INTO coupon_ledger (coupon_id, order_id, op) SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[]);

-- name: benefits.save_accounts
-- $1 user ids (locked), $2 balances, $3 held, $4 growth.
UPDATE points_accounts a
SET balance = n.balance, held = n.held, growth = n.growth
FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS n (user_id, balance, held, growth)
WHERE a.user_id = ANY (ARRAY[n.user_id]);

-- name: benefits.log_points
-- Inserts one row per change of an account. The same change for the same order makes it fail.
INSERT INTO points_ledger (user_id, op, ref, order_id, points, growth, short)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]);

-- name: benefits.take_quotas
-- $1 promotion ids (locked), $2 units. Going above the quantity makes it fail. Only flash sales have a row.
UPDATE promotion_quotas q
SET sold = q.sold + n.units
FROM (SELECT promo_id, sum(units)::integer AS units
      FROM unnest($1::text[], $2::integer[]) AS u (promo_id, units) GROUP BY promo_id) AS n
WHERE q.promo_id = ANY (ARRAY[n.promo_id]);

-- name: benefits.insert_uses
-- $1 promotion ids, $2 order ids, $3 user ids, $4 units.
INSERT INTO promotion_uses (promo_id, order_id, user_id, units)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::integer[]);

-- name: benefits.lock_quotas_of
-- $1 order ids (locked). Locks: the quotas that these orders took units from, in id order.
SELECT promo_id
FROM promotion_quotas
WHERE promo_id = ANY (ARRAY(SELECT promo_id FROM promotion_uses WHERE order_id = ANY($1::bigint[]) AND returned_at IS NULL))
ORDER BY promo_id
FOR UPDATE;

-- name: benefits.return_quotas
-- $1 order ids (they and their quotas are locked). Frees the units that they took. A quota that is younger than a use may not have
-- counted it.
WITH back AS (
    UPDATE promotion_uses SET returned_at = clock_timestamp()
    WHERE order_id = ANY($1::bigint[]) AND returned_at IS NULL
    RETURNING promo_id, units
), total AS (SELECT promo_id, sum(units)::integer AS units FROM back GROUP BY promo_id)
UPDATE promotion_quotas q SET sold = greatest(q.sold - t.units, 0) FROM total t WHERE q.promo_id = ANY (ARRAY[t.promo_id]);
