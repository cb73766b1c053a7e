-- name: exchanges.of_cases
-- $1 case ids (their orders are locked). The newest exchange order of each, and the units of each of its lines that were given back: they
-- never arrived, or came back. Such units only grow, so the order need not be locked. Cases without one are missing.
SELECT DISTINCT ON (e.case_id) e.order_id, e.case_id, e.first_order_id, e.value_amount, e.price_amount, e.state,
    ARRAY(SELECT i.refunded_qty FROM order_items i WHERE i.order_id = e.order_id ORDER BY i.line_no) AS lost
FROM exchange_orders e
WHERE e.case_id = ANY($1::bigint[])
ORDER BY e.case_id, e.order_id DESC;

-- name: exchanges.cases
-- $1 ids of exchange orders. The case of each, and the order whose goods it replaces. Neither ever changes. Unknown ids are missing.
SELECT order_id, case_id, first_order_id FROM exchange_orders WHERE order_id = ANY($1::bigint[]);

-- name: exchanges.addresses
-- $1 order ids. The address of each, encrypted.
SELECT a.order_id, a.country, a.key_id, a.ciphertext, k.shop_key_id, k.wrapped
FROM order_addresses a LEFT JOIN user_keys k ON k.key_id = a.key_id
WHERE a.order_id = ANY($1::bigint[]);

-- name: exchanges.save
-- $1 ids of exchange orders, $2 their states. The orders whose goods they replace are locked.
UPDATE exchange_orders e SET state = n.state
FROM unnest($1::bigint[], $2::text[]) AS n (order_id, state)
WHERE e.order_id = ANY (ARRAY[n.order_id]);

-- name: exchanges.place
-- $1 the time, $2 when the saga timer is due. Inserts exchange orders in state placing with version 1: $3 ids, $4 the orders whose goods
-- they replace (locked) and whose user, seller, types and rules they take, $5 case ids, $6 prices with tax, $7 what the goods that come back
-- count for, $8 prices before tax, $9 the part of these that goods pay, $10 taxes of the rest, $11 rules of their own (JSON), $12
-- conversation ids, $13 and $14 causes, $15 countries (null: no address), $16 key ids, $17 ciphertexts. Their lines: $18 order ids, $19 line
-- numbers, $20 SKU ids, $21 warehouses, $22 SPU ids, $23 names, $24 product types, $25 units, $26 unit prices, $27 the part that goods pay,
-- $28 taxes of the rest, $29 their rates (null: no tax is added), $30 specs, $31 sellers, $32 categories, $33 images, $34 units of measure, $35
-- purchase prices (null: not known).
WITH new AS MATERIALIZED (
    SELECT n.*, f.business_type, f.order_type, f.channel, f.seller_id, f.user_id, f.currency,
        (f.policy - '{other_warehouses,captcha_window_seconds,buying_group}'::text[]) || n.rules::jsonb AS policy
    FROM unnest($3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::text[],
        $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::bytea[])
        AS n (id, first_order_id, case_id, price, value, origin, reduction, tax, rules, conversation_id, cause_type, cause_id, country, key_id,
              ciphertext)
    JOIN orders f ON f.id = n.first_order_id
), placed AS (
    INSERT INTO orders (id, root_id, kind, request_id, business_type, order_type, channel, source, seller_id, user_id, state, version,
        currency, origin_amount, promotion_amount, tax_amount, payable_amount, policy, expire_at, conversation_id, created_at)
    SELECT id, id, 'exchange', 'exchange-' || id, business_type, order_type, channel, 'buy_now', seller_id, user_id, 'placing', 1,
        currency, origin, reduction, tax, origin - reduction + tax, policy, $1::timestamptz, conversation_id, $1::timestamptz
    FROM new
), addressed AS (
    INSERT INTO order_addresses (order_id, country, key_id, ciphertext)
    SELECT id, country, key_id, ciphertext FROM new WHERE country IS NOT NULL
), logged AS (
    INSERT INTO operate_logs (order_id, version, operate_type, pre_state, cur_state, actor_type, actor_id, cause_type, cause_id, remark)
    SELECT id, 1, 10, '', 'placing', 'system', 'oms', cause_type, cause_id, 'created' FROM new
), timed AS (
    INSERT INTO timers (kind, key, due_at, wake_at) SELECT 'saga', id, $2::timestamptz, $2::timestamptz FROM new
), linked AS (
    INSERT INTO exchange_orders (order_id, case_id, first_order_id, value_amount, price_amount, state)
    SELECT id, case_id, first_order_id, value, price, 'reserving' FROM new
)
INSERT INTO order_items (order_id, line_no, sku_id, warehouse, spu_id, name, product_type, qty, unit_price, origin_amount,
    promotion_amount, tax_amount, payable_amount, tax_basis_points, specs, seller_id, category_id, image_url, unit, purchase_price)
SELECT i.order_id, i.line_no, i.sku_id, i.warehouse, i.spu_id, i.name, i.product_type, i.qty, i.unit_price, i.unit_price * i.qty,
    i.reduction, i.tax, i.unit_price * i.qty - i.reduction + i.tax, i.tax_basis_points, i.specs::jsonb, i.seller_id, i.category_id, i.image_url, i.unit,
    i.purchase_price
FROM unnest($18::bigint[], $19::smallint[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::integer[], $26::bigint[],
    $27::bigint[], $28::bigint[], $29::integer[], $30::text[], $31::text[], $32::text[], $33::text[], $34::text[], $35::bigint[])
    AS i (order_id, line_no, sku_id, warehouse, spu_id, name, product_type, qty, unit_price, reduction, tax, tax_basis_points, specs, seller_id,
          category_id, image_url, unit, purchase_price);
