-- name: orders.lock
-- $1 order ids, $2 and $3 bounds of the ids of their families. Locks: whole families (a split order and its children), always in the
-- same order, so that two batches cannot deadlock. Unknown ids are missing. Families never change, so they may be read before the lock.
SELECT id, root_id, user_id, request_id, conversation_id, order_no, state, version, channel, currency, origin_amount, promotion_amount,
    coupon_amount, points_amount, shipping_fee, tax_amount, payable_amount, captured_amount, refunded_amount, intent_id,
    coalesce(policy ->> 'on_payment_failure', 'keep_open') AS on_payment_failure, created_at, expire_at,
    coalesce(policy ->> 'deduct_on', 'pay') AS deduct_on,
    coalesce((policy ->> 'payment_window_seconds')::integer, 1800) AS payment_window_seconds,
    coalesce(policy ->> 'on_shortage', 'ship_rest') AS on_shortage,
    coalesce((policy ->> 'shortage_window_seconds')::integer, 86400) AS shortage_window_seconds,
    coalesce(policy ->> 'capture_on', 'payment') AS capture_on,
    coalesce(policy ->> 'on_late_payment', 'refund') AS on_late_payment,
    coalesce(policy ->> 'complete_on', 'receipt') AS complete_on,
    coalesce(policy ->> 'cancel_paid', 'until_handed_over') AS cancel_paid,
    coalesce((policy ->> 'ship_within_seconds')::integer, 0) AS ship_within_seconds, policy ->> 'ship_cutoff' AS ship_cutoff,
    policy ->> 'ship_time_zone' AS ship_time_zone, (policy -> 'ship_hours')::text AS ship_hours,
    kind, parent_id, source, coupon_id, use_points, gift_points, gift_growth, quota_units, cancel_type, reason_code,
    deleted, held, paid_at, shipped_at, delivered_at, completed_at, cancelled_at, adjustment_amount,
    (policy ->> 'buying_group')::bigint AS group_key
FROM orders
WHERE id BETWEEN $2::bigint AND $3::bigint AND id = ANY(ARRAY(
    WITH roots AS MATERIALIZED (
        SELECT n.root_id FROM orders n WHERE n.id BETWEEN $2::bigint AND $3::bigint AND n.id = ANY($1::bigint[])
    )
    SELECT root_id FROM roots
    UNION
    SELECT c.id FROM orders c
    WHERE c.id BETWEEN $2::bigint AND $3::bigint AND c.root_id <> c.id AND c.root_id = ANY(ARRAY(SELECT root_id FROM roots))))
ORDER BY root_id, id
FOR UPDATE;

-- name: orders.warehouses
-- $1 order ids (locked). The warehouses that their goods come from. Orders without lines are missing.
SELECT order_id, array_agg(DISTINCT warehouse ORDER BY warehouse) AS warehouses FROM order_items WHERE order_id = ANY($1::bigint[]) GROUP BY order_id;

-- name: orders.insert
-- $1 the time. Inserts orders in state placing with version 1, one element of $2 to $38 each: sales, or parents with their children;
-- their addresses (no country: none), the first row of their operate log, and their lines, one element of $39 to $67 each. Of the
-- lines, $52 to $67 may be empty arrays: then every line has the default. Starts a saga timer for each root, due at $68.
WITH new AS MATERIALIZED (
    SELECT * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
        $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[],
        $20::bigint[], $21::bigint[], $22::bigint[], $23::text[], $24::bigint[], $25::bigint[], $26::bigint[], $27::integer[],
        $28::text[], $29::bytea[], $30::text[], $31::timestamptz[], $32::text[], $33::text[], $34::text[], $35::bytea[], $36::text[],
        $37::text[], $38::text[])
        AS n (id, root_id, parent_id, kind, order_no, request_id, business_type, order_type, business_order_id, channel, source,
              seller_id, user_id, currency, origin_amount, promotion_amount, coupon_amount, points_amount, shipping_fee, tax_amount,
              payable_amount, coupon_id, use_points, gift_points, gift_growth, quota_units, remark_key_id, user_remark, policy,
              expire_at, conversation_id, country, address_key_id, address, actor_type, actor_id, cause_id)
), placed AS (
    INSERT INTO orders (id, root_id, parent_id, kind, order_no, request_id, business_type, order_type, business_order_id, channel,
        source, seller_id, user_id, state, version, currency, origin_amount, promotion_amount, coupon_amount, points_amount,
        shipping_fee, tax_amount, payable_amount, coupon_id, use_points, gift_points, gift_growth, quota_units, remark_key_id,
        user_remark, policy, expire_at, conversation_id, created_at)
    SELECT id, root_id, parent_id, kind, order_no, request_id, business_type, order_type, business_order_id, channel,
        source, seller_id, user_id, 'placing', 1, currency, origin_amount, promotion_amount, coupon_amount, points_amount,
        shipping_fee, tax_amount, payable_amount, coupon_id, use_points, gift_points, gift_growth, quota_units, remark_key_id,
        user_remark, policy::jsonb, expire_at, conversation_id, $1::timestamptz
    FROM new
), addressed AS (
    INSERT INTO order_addresses (order_id, country, key_id, ciphertext)
    SELECT id, country, address_key_id, address FROM new WHERE country IS NOT NULL
), logged AS (
    INSERT INTO operate_logs (order_id, version, operate_type, pre_state, cur_state, actor_type, actor_id, cause_type, cause_id, remark)
    SELECT id, 1, 10, '', 'placing', actor_type, actor_id, 'order.create.v1', cause_id, 'created' FROM new
), timed AS (
    INSERT INTO timers (kind, key, due_at, wake_at)
    SELECT 'saga', id, $68::timestamptz, $68::timestamptz FROM new WHERE parent_id IS NULL
)
INSERT INTO order_items (order_id, line_no, sku_id, warehouse, spu_id, name, product_type, qty, unit_price, origin_amount,
    payable_amount, specs, purchase_price, seller_id, category_id, image_url, unit, tax_basis_points, promotion_id, promotion_revision,
    promotion_text,
    promotion_amount, coupon_amount, points_amount, tax_amount, shipping_share, quota_units, gift_points, gift_growth)
SELECT i.order_id, i.line_no, i.sku_id, i.warehouse, i.spu_id, i.name, i.product_type, i.qty, i.unit_price, i.origin_amount,
    i.payable_amount, i.specs::jsonb, i.purchase_price, i.seller_id, i.category_id, i.image_url, i.unit, i.tax_basis_points, i.promotion_id,
    i.promotion_revision, i.promotion_text, coalesce(i.promotion_amount, 0), coalesce(i.coupon_amount, 0), coalesce(i.points_amount, 0),
    coalesce(i.tax_amount, 0), coalesce(i.shipping_share, 0), coalesce(i.quota_units, 0), coalesce(i.gift_points, 0),
    coalesce(i.gift_growth, 0)
FROM unnest($39::bigint[], $40::smallint[], $41::text[], $42::text[], $43::text[], $44::text[], $45::text[], $46::integer[],
    $47::bigint[], $48::bigint[], $49::bigint[], $50::text[], $51::bigint[], $52::text[], $53::text[], $54::text[], $55::text[], $56::integer[],
    $57::text[], $58::bigint[], $59::text[], $60::bigint[], $61::bigint[], $62::bigint[], $63::bigint[], $64::bigint[],
    $65::integer[], $66::bigint[], $67::bigint[])
    AS i (order_id, line_no, sku_id, warehouse, spu_id, name, product_type, qty, unit_price, origin_amount, payable_amount, specs,
          purchase_price, seller_id, category_id, image_url, unit, tax_basis_points, promotion_id, promotion_revision, promotion_text,
          promotion_amount, coupon_amount, points_amount, tax_amount, shipping_share, quota_units, gift_points, gift_growth);

-- name: orders.change_addresses
-- $1 order ids, $2 countries, $3 key ids, $4 ciphertexts. Fewer rows than given: an order has no address.
UPDATE order_addresses a
SET country = n.country, key_id = n.key_id, ciphertext = n.ciphertext, modify_count = a.modify_count + 1
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[]) AS n (order_id, country, key_id, ciphertext)
WHERE a.order_id = n.order_id
RETURNING a.order_id;

-- name: orders.address_changes
-- $1 order ids (locked). The number of changes and the country of each address, whether a carrier has it for a parcel that we book, and
-- the data key of the order's user.
SELECT a.order_id, a.modify_count, a.country, k.key_id, k.shop_key_id, k.wrapped,
    coalesce(
        (SELECT true FROM waybills w WHERE w.order_ids @> ARRAY[a.order_id] AND w.state = 'requested' LIMIT 1),
        (SELECT true FROM waybills w
         WHERE w.state = 'booked' AND w.id = ANY(ARRAY(
             SELECT s.id
             FROM (SELECT p.id, p.ended FROM shipments p WHERE p.id = ANY(ARRAY(
                 SELECT i.shipment_id FROM shipment_items i WHERE i.order_id = a.order_id AND NOT i.withdrawn)) OFFSET 0) AS s
             WHERE NOT s.ended))
         LIMIT 1),
        false) AS at_carrier
FROM order_addresses a
JOIN orders o ON o.id = a.order_id
LEFT JOIN user_keys k ON k.user_id = o.user_id AND k.erased_at IS NULL
WHERE a.order_id = ANY($1::bigint[]);

-- name: orders.insert_snapshots
-- $1 order ids, $2 types, $3 JSON.
INSERT INTO order_snapshots (order_id, type, data)
SELECT n.order_id, n.type, n.data::jsonb FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS n (order_id, type, data);

-- name: orders.sold_lines
-- $1 order ids, $2 and $3 their bounds. Their lines as they were sold, before any adjustment, in order.
SELECT order_id, line_no, sku_id, name, qty, unit_price, payable_amount + adjustment_amount AS payable
FROM order_items
WHERE order_id BETWEEN $2::bigint AND $3::bigint AND order_id = ANY($1::bigint[])
ORDER BY order_id, line_no;

-- name: orders.as_created
-- $1 ids of orders and parents that were created. What order.created states of each: columns that never change, the price before any adjustment, the row of the operate
-- log, and the first intent. Nothing that happens to the order later changes any of it.
SELECT o.id AS order_id, o.conversation_id, o.order_no, o.user_id, o.request_id, l.cur_state AS state, l.pre_state AS previous,
    l.version, l.cause_type, l.cause_id, l.actor_type, l.actor_id, i.id AS intent_id, i.expire_at AS pay_before, o.currency,
    o.origin_amount AS origin, o.promotion_amount AS promotion, o.coupon_amount AS coupon, o.points_amount AS points,
    o.shipping_fee AS shipping, o.tax_amount AS tax, 0::bigint AS adjustment, o.payable_amount + o.adjustment_amount AS payable,
    ARRAY(SELECT c.id FROM orders c WHERE c.root_id = o.id AND c.root_id <> c.id ORDER BY c.id) AS children
FROM orders o
CROSS JOIN LATERAL (
    SELECT * FROM operate_logs n WHERE n.order_id = o.id AND n.pre_state = 'placing' AND n.cur_state = 'awaiting_payment' OFFSET 0
) AS l
CROSS JOIN LATERAL (SELECT * FROM payment_intents n WHERE n.order_id = o.id AND n.purpose = 'order' OFFSET 0) AS i
WHERE o.id = ANY($1::bigint[]);

-- name: orders.judged
-- $1 order ids (locked). Whether each has a risk verdict, how many seconds its buyer has for a captcha (0: there is none), and the
-- warehouses that its SKUs may come from (JSON), or null.
SELECT o.id, EXISTS (SELECT FROM order_snapshots s WHERE s.order_id = o.id AND s.type = 6 OFFSET 0) AS judged,
    coalesce((o.policy ->> 'captcha_window_seconds')::integer, 0) AS captcha_window_seconds,
    (o.policy -> 'other_warehouses')::text AS other_warehouses
FROM orders o
WHERE o.id = ANY($1::bigint[]);

-- name: orders.move_lines
-- $1 order ids (locked, placed or reinstated now), $2 SKU ids, $3 warehouses. All lines of the SKU come from the warehouse.
UPDATE order_items i SET warehouse = n.warehouse
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n (order_id, sku_id, warehouse)
WHERE i.order_id = n.order_id AND i.sku_id = n.sku_id;

-- name: orders.log
-- Inserts one row per step.
INSERT INTO operate_logs (order_id, version, operate_type, pre_state, cur_state, actor_type, actor_id, cause_type, cause_id, remark)
SELECT * FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[]);

-- name: orders.save
-- $1 ids, $2 versions and $3 states as they were read; then the new values. Fewer rows than given: a lost update. From $20 on the steps,
-- as in orders.log. Opens payment intents: $30 their ids, $31 order ids, $32 amounts, $33 currencies, $34 deadlines, $35 purposes. One intent per order
-- and purpose (C-04). $36 and $37 the bounds of the ids. It looks each order up: joined with all of $1, 200 orders take ten times as long.
WITH opened AS (
    INSERT INTO payment_intents (id, order_id, amount, currency, expire_at, purpose)
    SELECT * FROM unnest($30::bigint[], $31::bigint[], $32::bigint[], $33::text[], $34::timestamptz[], $35::text[])
), logged AS (
    INSERT INTO operate_logs (order_id, version, operate_type, pre_state, cur_state, actor_type, actor_id, cause_type, cause_id, remark)
    SELECT * FROM unnest($20::bigint[], $21::integer[], $22::smallint[], $23::text[], $24::text[], $25::text[], $26::text[], $27::text[],
        $28::text[], $29::text[])
)
UPDATE orders o
SET version = n.version, state = n.state, order_no = n.order_no, intent_id = n.intent_id, expire_at = n.expire_at,
    cancel_type = n.cancel_type, reason_code = n.reason_code, deleted = n.deleted, captured_amount = n.captured_amount,
    refunded_amount = n.refunded_amount, paid_at = n.paid_at, shipped_at = n.shipped_at, delivered_at = n.delivered_at,
    completed_at = n.completed_at, cancelled_at = n.cancelled_at, held = n.held, updated_at = clock_timestamp()
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::integer[], $5::text[], $6::text[], $7::bigint[], $8::timestamptz[],
    $9::text[], $10::text[], $11::boolean[], $12::bigint[], $13::bigint[], $14::timestamptz[], $15::timestamptz[],
    $16::timestamptz[], $17::timestamptz[], $18::timestamptz[], $19::boolean[])
    AS n (id, old_version, old_state, version, state, order_no, intent_id, expire_at, cancel_type, reason_code, deleted,
          captured_amount, refunded_amount, paid_at, shipped_at, delivered_at, completed_at, cancelled_at, held)
WHERE o.id = ANY (ARRAY[n.id]) AND o.id BETWEEN $36::bigint AND $37::bigint AND o.version = n.old_version AND (o.state = n.old_state) IS TRUE
RETURNING o.id;

-- name: orders.lines
-- $1 order ids (locked), $2 and $3 their bounds. Their lines, in order.
SELECT order_id, line_no, sku_id, warehouse, qty, payable_amount, shipping_share - shipping_adjustment AS shipping_share, refunded_qty,
    refunded_amount, short_qty + cancelled_qty AS dropped_qty, refunded_shipping
FROM order_items
WHERE order_id BETWEEN $2::bigint AND $3::bigint AND order_id = ANY($1::bigint[])
ORDER BY order_id, line_no;

-- name: orders.give_back_lines
-- $1 order ids, $2 line numbers, $3 units and $4 amounts that go back now, $5 what of them is shipping. Several refunds of one line are
-- added up.
UPDATE order_items i
SET refunded_qty = i.refunded_qty + n.qty, refunded_amount = i.refunded_amount + n.amount,
    refunded_shipping = i.refunded_shipping + n.shipping
FROM (SELECT order_id, line_no, sum(qty)::integer AS qty, sum(amount)::bigint AS amount, sum(shipping)::bigint AS shipping
      FROM unnest($1::bigint[], $2::smallint[], $3::integer[], $4::bigint[], $5::bigint[]) AS r (order_id, line_no, qty, amount, shipping)
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
