-- name: orders.lock
-- $1 order ids. Locks: whole families (a split order and its children), always in the same order, so that two batches cannot
-- deadlock. Unknown ids are missing. Families never change, so they may be read before the lock.
SELECT id, root_id, user_id, request_id, conversation_id, order_no, state, version, channel, currency, origin_amount, promotion_amount,
    coupon_amount, points_amount, shipping_fee, tax_amount, payable_amount, captured_amount, refunded_amount, intent_id,
    coalesce(policy ->> 'on_payment_failure', 'keep_open') AS on_payment_failure, created_at, expire_at,
    coalesce(policy ->> 'deduct_on', 'pay') AS deduct_on,
    coalesce((policy ->> 'payment_window_seconds')::integer, 1800) AS payment_window_seconds,
    kind, parent_id, source, coupon_id, use_points, gift_points, gift_growth, quota_units, cancel_type, reason_code,
    deleted, paid_at, shipped_at, delivered_at, completed_at, cancelled_at
FROM orders
WHERE id = ANY(ARRAY(
    SELECT n.root_id FROM orders n WHERE n.id = ANY($1::bigint[])
    UNION
    SELECT c.id FROM orders n JOIN orders c ON c.root_id = n.root_id AND c.root_id <> c.id WHERE n.id = ANY($1::bigint[])))
ORDER BY root_id, id
FOR UPDATE;

-- name: orders.insert
-- Inserts orders in state placing with version 1: sales, or parents with their children.
INSERT INTO orders (id, root_id, parent_id, kind, order_no, request_id, business_type, order_type, business_order_id, channel,
    source, seller_id, user_id, state, version, currency, origin_amount, promotion_amount, coupon_amount, points_amount,
    shipping_fee, tax_amount, payable_amount, coupon_id, use_points, gift_points, gift_growth, quota_units, remark_key_id,
    user_remark, policy, expire_at, conversation_id, created_at)
SELECT n.id, n.root_id, n.parent_id, n.kind, n.order_no, n.request_id, n.business_type, n.order_type, n.business_order_id,
    n.channel, n.source, n.seller_id, n.user_id, 'placing', 1, n.currency, n.origin_amount, n.promotion_amount, n.coupon_amount,
    n.points_amount, n.shipping_fee, n.tax_amount, n.payable_amount, n.coupon_id, n.use_points, n.gift_points, n.gift_growth,
    n.quota_units, n.remark_key_id, n.user_remark, n.policy::jsonb, n.expire_at, n.conversation_id, $32::timestamptz
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[],
    $19::bigint[], $20::bigint[], $21::bigint[], $22::text[], $23::bigint[], $24::bigint[], $25::bigint[], $26::integer[],
    $27::text[], $28::bytea[], $29::text[], $30::timestamptz[], $31::text[])
    AS n (id, root_id, parent_id, kind, order_no, request_id, business_type, order_type, business_order_id, channel, source,
          seller_id, user_id, currency, origin_amount, promotion_amount, coupon_amount, points_amount, shipping_fee, tax_amount,
          payable_amount, coupon_id, use_points, gift_points, gift_growth, quota_units, remark_key_id, user_remark, policy,
          expire_at, conversation_id);

-- name: orders.insert_items
-- Inserts the lines of new orders.
INSERT INTO order_items (order_id, line_no, sku_id, warehouse, spu_id, name, product_type, seller_id, category_id, qty, unit_price,
    origin_amount, promotion_amount, coupon_amount, points_amount, tax_amount, shipping_share, payable_amount, promotion_id,
    promotion_revision, promotion_text, quota_units, gift_points, gift_growth)
SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::integer[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[],
    $17::bigint[], $18::bigint[], $19::text[], $20::bigint[], $21::text[], $22::integer[], $23::bigint[], $24::bigint[]);

-- name: orders.insert_addresses
-- $1 order ids, $2 countries, $3 key ids, $4 ciphertexts.
INSERT INTO order_addresses (order_id, country, key_id, ciphertext)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]);

-- name: orders.change_addresses
-- $1 order ids, $2 countries, $3 key ids, $4 ciphertexts. Fewer rows than given: an order has no address.
UPDATE order_addresses a
SET country = n.country, key_id = n.key_id, ciphertext = n.ciphertext, modify_count = a.modify_count + 1
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]) AS n (order_id, country, key_id, ciphertext)
WHERE a.order_id = n.order_id
RETURNING a.order_id;

-- name: orders.address_changes
-- $1 order ids (locked). The number of changes and the country of each address.
SELECT order_id, modify_count, country FROM order_addresses WHERE order_id = ANY($1::bigint[]);

-- name: orders.insert_snapshots
-- $1 order ids, $2 types, $3 JSON.
INSERT INTO order_snapshots (order_id, type, data)
SELECT n.order_id, n.type, n.data::jsonb FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS n (order_id, type, data);

-- name: orders.item_snapshots
-- $1 order ids. The lines as they were sold, as JSON.
SELECT order_id, data::text AS data FROM order_snapshots WHERE order_id = ANY($1::bigint[]) AND type = 3;

-- name: orders.judged
-- $1 order ids (locked). The orders that have a risk verdict.
SELECT order_id FROM order_snapshots WHERE order_id = ANY($1::bigint[]) AND type = 6;

-- name: orders.log
-- Inserts one row per step.
INSERT INTO operate_logs (order_id, version, operate_type, pre_state, cur_state, actor_type, actor_id, cause_type, cause_id, remark)
SELECT * FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[]);

-- name: orders.save
-- $1 ids, $2 versions and $3 states as they were read; then the new values. Fewer rows than given: a lost update. From $19 on the steps,
-- as in orders.log.
WITH logged AS (
    INSERT INTO operate_logs (order_id, version, operate_type, pre_state, cur_state, actor_type, actor_id, cause_type, cause_id, remark)
    SELECT * FROM unnest($19::bigint[], $20::integer[], $21::smallint[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[],
        $27::text[], $28::text[])
)
UPDATE orders o
SET version = n.version, state = n.state, order_no = n.order_no, intent_id = n.intent_id, expire_at = n.expire_at,
    cancel_type = n.cancel_type, reason_code = n.reason_code, deleted = n.deleted, captured_amount = n.captured_amount,
    refunded_amount = n.refunded_amount, paid_at = n.paid_at, shipped_at = n.shipped_at, delivered_at = n.delivered_at,
    completed_at = n.completed_at, cancelled_at = n.cancelled_at, updated_at = clock_timestamp()
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[],
    $9::text[], $10::text[], $11::boolean[], $12::bigint[], $13::bigint[], $14::timestamptz[], $15::timestamptz[],
    $16::timestamptz[], $17::timestamptz[], $18::timestamptz[])
    AS n (id, old_version, old_state, version, state, order_no, intent_id, expire_at, cancel_type, reason_code, deleted,
          captured_amount, refunded_amount, paid_at, shipped_at, delivered_at, completed_at, cancelled_at)
WHERE o.id = n.id AND o.version = n.old_version AND o.state = n.old_state
RETURNING o.id;

-- name: orders.lines
-- $1 order ids (locked). Their lines, in order.
SELECT order_id, line_no, sku_id, warehouse, qty, payable_amount, shipping_share, refunded_qty, refunded_amount,
    short_qty + cancelled_qty AS dropped_qty
FROM order_items
WHERE order_id = ANY($1::bigint[])
ORDER BY order_id, line_no;

-- name: orders.give_back_lines
-- $1 order ids, $2 line numbers, $3 units and $4 amounts that go back now. Several refunds of one line are added up.
UPDATE order_items i
SET refunded_qty = i.refunded_qty + n.qty, refunded_amount = i.refunded_amount + n.amount
FROM (SELECT order_id, line_no, sum(qty)::integer AS qty, sum(amount)::bigint AS amount
      FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::bigint[]) AS r (order_id, line_no, qty, amount)
      GROUP BY order_id, line_no) AS n
WHERE i.order_id = n.order_id AND i.line_no = n.line_no;

-- name: orders.drop_units
-- $1 order ids (locked), $2 refs, $3 line numbers, $4 kinds, $5 units. Records units that will not be shipped, after they were given
-- back. The same ref again makes it fail.
WITH dropped AS (
    INSERT INTO dropped_units (order_id, ref, line_no, kind, qty)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::text[], $5::integer[])
    RETURNING order_id, line_no, kind, qty
)
UPDATE order_items i SET short_qty = i.short_qty + n.short, cancelled_qty = i.cancelled_qty + n.cancelled
FROM (SELECT order_id, line_no, coalesce(sum(qty) FILTER (WHERE kind = 'short'), 0)::integer AS short,
          coalesce(sum(qty) FILTER (WHERE kind = 'cancelled'), 0)::integer AS cancelled
      FROM dropped GROUP BY order_id, line_no) AS n
WHERE i.order_id = n.order_id AND i.line_no = n.line_no;
