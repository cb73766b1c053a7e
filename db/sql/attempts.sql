-- name: attempts.open
-- Inserts attempts. Each has its own number at the provider. Locks: none.
INSERT INTO payment_attempts (id, out_trade_no, intent_id, order_id, provider, scene, amount, currency, state, reference, command,
    key_id, details, started_at, expire_at, authorize)
SELECT n.id, n.out_trade_no, n.intent_id, n.order_id, n.provider, n.scene, n.amount, n.currency, n.state, n.reference,
    ARRAY[n.scope, n.request_id], n.key_id, n.details, $15::timestamptz, n.expire_at, n.authorize
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::bytea[], $16::timestamptz[], $17::boolean[])
    AS n (id, out_trade_no, intent_id, order_id, provider, scene, amount, currency, state, reference, scope, request_id, key_id,
          details, expire_at, authorize);

-- name: attempts.read
-- $1 attempt ids. Locks: none. Unknown ids are missing.
SELECT id, out_trade_no, intent_id, order_id, provider, scene, amount, currency, state, reference, trade_no, command, a.key_id, details,
    started_at, expire_at, authorize, k.shop_key_id, k.wrapped
FROM payment_attempts a LEFT JOIN user_keys k ON k.key_id = ANY (ARRAY[a.key_id])
WHERE id = ANY($1::bigint[]);

-- name: attempts.lock
-- $1 attempt ids. Locks: the attempts, in id order. Unknown ids are missing.
SELECT id, out_trade_no, intent_id, order_id, provider, scene, amount, currency, state, reference, trade_no, command, a.key_id, details,
    started_at, expire_at, authorize, k.shop_key_id, k.wrapped
FROM payment_attempts a LEFT JOIN user_keys k ON k.key_id = ANY (ARRAY[a.key_id])
WHERE id = ANY($1::bigint[])
ORDER BY id
FOR UPDATE OF a;

-- name: attempts.by_number
-- $1 our numbers at providers, $2 attempt ids. The attempts that a notification or an answer is about. Locks: none.
SELECT id, out_trade_no, intent_id, order_id, provider, scene, amount, currency, state, reference, trade_no, command, a.key_id, details,
    started_at, expire_at, authorize, k.shop_key_id, k.wrapped
FROM payment_attempts a LEFT JOIN user_keys k ON k.key_id = ANY (ARRAY[a.key_id])
WHERE out_trade_no = ANY($1::text[]) OR id = ANY($2::bigint[]);

-- name: attempts.live
-- $1 intent ids, $2 order ids (both locked by their orders), $3 attempt ids. Attempts that a buyer may still pay, of these
-- intents and of merged intents that pay these orders; and the attempts of $3, live or not. Locks: all of them, in id order.
SELECT id, out_trade_no, intent_id, order_id, provider, scene, amount, currency, state, reference, trade_no, command, a.key_id, details,
    started_at, expire_at, authorize, k.shop_key_id, k.wrapped, state IN ('created', 'requested', 'unknown')
        AND intent_id = ANY($1::bigint[] || ARRAY(SELECT intent_id FROM payment_intent_orders WHERE order_id = ANY($2::bigint[]))) AS live,
    ARRAY(SELECT m.order_id FROM payment_intent_orders m WHERE m.intent_id = a.intent_id) AS merged_orders
FROM payment_attempts a LEFT JOIN user_keys k ON k.key_id = ANY (ARRAY[a.key_id])
WHERE id = ANY($3::bigint[]) OR (state IN ('created', 'requested', 'unknown')
    AND intent_id = ANY($1::bigint[] || ARRAY(SELECT intent_id FROM payment_intent_orders WHERE order_id = ANY($2::bigint[]))))
ORDER BY id
FOR UPDATE OF a;

-- name: attempts.rivals
-- $1 intent ids (their orders are locked). Attempts that a buyer may still pay. Locks: none.
SELECT intent_id, id FROM payment_attempts WHERE intent_id = ANY($1::bigint[]) AND state IN ('created', 'requested', 'unknown');

-- name: attempts.save
-- $1 attempt ids (locked), $2 states, $3 references, $4 trade numbers, $5 reason codes. Null leaves a field as it is;
-- a captured attempt keeps its state and its trade number.
UPDATE payment_attempts a
SET state = CASE WHEN a.state = 'captured' THEN a.state ELSE coalesce(n.state, a.state) END, reference = coalesce(n.reference, a.reference),
    trade_no = CASE WHEN a.state = 'captured' THEN a.trade_no ELSE coalesce(n.trade_no, a.trade_no) END,
    reason_code = coalesce(n.reason_code, a.reason_code), updated_at = clock_timestamp()
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) AS n (id, state, reference, trade_no, reason_code)
WHERE a.id = ANY (ARRAY[n.id]);

-- name: attempts.of_timers
-- $1 attempt ids. The provider of each. Locks: none.
SELECT id, provider FROM payment_attempts WHERE id = ANY($1::bigint[]);

-- name: attempts.refunds
-- $1 refund numbers. Each refund with the attempt and capture that it draws on; refunds of captures that no attempt of ours made
-- are missing.
SELECT r.refund_no, r.provider, r.trade_no, r.amount, r.currency, r.cause, r.requested_at, a.out_trade_no,
    f.amount AS captured_amount, f.occurred_at AS captured_at
FROM refunds r
CROSS JOIN LATERAL (
    SELECT * FROM payment_facts p WHERE p.provider = r.provider AND p.trade_no = r.trade_no AND p.kind = 'captured' OFFSET 0
) AS f
CROSS JOIN LATERAL (
    SELECT * FROM payment_attempts p WHERE p.provider = r.provider AND p.trade_no = r.trade_no OFFSET 0
) AS a
WHERE r.refund_no = ANY($1::text[]);

-- name: attempts.refunds_of_timers
-- $1 refund ids. The number and provider of each. Locks: none.
SELECT id, refund_no, provider FROM refunds WHERE id = ANY($1::bigint[]);
