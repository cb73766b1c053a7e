-- Orders of other systems. Who takes one holds the lock of its user (users.lock).

-- name: order_imports.known
-- $1 names of other systems and $2 numbers of orders there; $3 providers and $4 trade numbers. Which of them are here: 'order' or 'payment', and
-- both names. Locks: none.
SELECT 'order' AS what, i.source AS name, i.external_no AS number
FROM unnest($1::text[], $2::text[]) AS n (source, external_no) JOIN imported_orders i USING (source, external_no)
UNION ALL
SELECT 'payment', n.provider, n.trade_no
FROM unnest($3::text[], $4::text[]) AS n (provider, trade_no)
WHERE EXISTS (SELECT FROM payment_facts f WHERE (f.provider, f.trade_no, f.kind) = (n.provider, n.trade_no, 'captured') OFFSET 0);

-- name: order_imports.insert
-- $1 the time, $2 the type of the command. Inserts orders that have ended, in version 1, one element of $3 to $36 each: with the only row of
-- their operate log, their address (no country: none), and what they are called elsewhere. They changed last when they ended: their personal data is kept as
-- long as that of any order that ended then.
WITH new AS MATERIALIZED (
    SELECT * FROM unnest($3::bigint[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
        $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[],
        $21::bigint[], $22::text[], $23::bytea[], $24::timestamptz[], $25::timestamptz[], $26::timestamptz[], $27::timestamptz[],
        $28::timestamptz[], $29::timestamptz[], $30::text[], $31::text[], $32::text[], $33::bytea[], $34::text[], $35::text[],
        $36::text[])
        AS n (id, order_no, intent_id, imported_from, external_no, channel, user_id, state, currency, seller_id,
              origin_amount, promotion_amount, coupon_amount, points_amount, shipping_fee, tax_amount, payable_amount, captured_amount, refunded_amount,
              remark_key_id, user_remark, created_at, paid_at, shipped_at, delivered_at, completed_at,
              cancelled_at, conversation_id, country, address_key_id, address, actor_type, actor_id, cause_id)
), placed AS (
    INSERT INTO orders (id, root_id, kind, order_no, request_id, business_type, business_order_id, channel, source, seller_id, user_id,
        state, version, cancel_type, reason_code, currency, origin_amount, promotion_amount, coupon_amount, points_amount, shipping_fee,
        tax_amount, payable_amount, captured_amount, refunded_amount, remark_key_id, user_remark, created_at, expire_at, paid_at,
        shipped_at, delivered_at, completed_at, cancelled_at, updated_at, conversation_id, intent_id)
    SELECT id, id, 'sale', order_no, external_no, 'normal', external_no, channel, 'import', seller_id, user_id,
        state, 1, CASE state WHEN 'cancelled' THEN 'system' END, CASE state WHEN 'cancelled' THEN 'IMPORTED' END, currency, origin_amount,
        promotion_amount, coupon_amount, points_amount, shipping_fee, tax_amount, payable_amount, captured_amount, refunded_amount,
        remark_key_id, user_remark, created_at, created_at, paid_at, shipped_at, delivered_at, completed_at, cancelled_at,
        coalesce(completed_at, cancelled_at), conversation_id, intent_id
    FROM new
), intended AS (
    INSERT INTO payment_intents (id, order_id, amount, currency, expire_at) SELECT intent_id, id, payable_amount, currency, created_at FROM new
), addressed AS (
    INSERT INTO order_addresses (order_id, country, key_id, ciphertext)
    SELECT id, country, address_key_id, address FROM new WHERE country IS NOT NULL
), logged AS (
    INSERT INTO operate_logs (order_id, version, operate_type, pre_state, cur_state, actor_type, actor_id, cause_type, cause_id, remark, at)
    SELECT id, 1, 10, '', state, actor_type, actor_id, $2::text, cause_id, 'created', coalesce(completed_at, cancelled_at) FROM new
)
INSERT INTO imported_orders (order_id, source, external_no, imported_at)
SELECT id, imported_from, external_no, $1::timestamptz FROM new;

-- name: order_imports.insert_lines
-- $1 order ids (inserted in this transaction), $2 numbers of lines, $3 to $19 what was sold, and what of it went back.
INSERT INTO order_items (order_id, line_no, sku_id, warehouse, spu_id, name, product_type, seller_id, qty, unit_price, origin_amount,
    promotion_amount, coupon_amount, points_amount, tax_amount, shipping_share, payable_amount, refunded_qty, refunded_amount)
SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::integer[],
    $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::integer[],
    $19::bigint[]);

-- name: order_imports.insert_payments
-- $1 providers, $2 trade numbers, $3 order ids (inserted in this transaction), $4 their intents, $5 amounts, $6 currencies, $7 when they
-- were captured.
INSERT INTO payment_facts (provider, trade_no, kind, order_id, intent_id, amount, currency, verdict, occurred_at)
SELECT n.provider, n.trade_no, 'captured', n.order_id, n.intent_id, n.amount, n.currency, 'kept', n.occurred_at
FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::timestamptz[])
    AS n (provider, trade_no, order_id, intent_id, amount, currency, occurred_at);

-- name: order_imports.insert_refunds
-- $1 refund ids, $2 our numbers of them, $3 those of their providers, $4 order ids (inserted in this transaction), $5 their intents,
-- $6 providers, $7 trade numbers, $8 amounts, $9 currencies, $10 when they were made; then their lines: $11 refund ids, $12 order ids,
-- $13 numbers, $14 units, $15 amounts.
WITH refunded AS (
    INSERT INTO refunds (id, refund_no, provider_no, order_id, intent_id, provider, trade_no, cause, amount, currency, state, reason_code,
        requested_at, finished_at)
    SELECT n.id, n.refund_no, n.provider_no, n.order_id, n.intent_id, n.provider, n.trade_no, 'import:' || n.provider_no, n.amount, n.currency,
        'succeeded', 'IMPORTED', n.at, n.at
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::bigint[], $9::text[],
        $10::timestamptz[]) AS n (id, refund_no, provider_no, order_id, intent_id, provider, trade_no, amount, currency, at)
)
INSERT INTO refund_lines (refund_id, order_id, line_no, qty, amount)
SELECT * FROM unnest($11::bigint[], $12::bigint[], $13::smallint[], $14::integer[], $15::bigint[]);
