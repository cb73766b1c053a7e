-- name: payments.open_merged
-- $1 ids, $2 order ids (the first of each), $3 amounts, $4 currencies, $5 deadlines. Intents that pay several orders.
INSERT INTO payment_intents (id, purpose, order_id, amount, currency, expire_at)
SELECT n.id, 'merged', n.order_id, n.amount, n.currency, n.expire_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[]) AS n (id, order_id, amount, currency, expire_at);

-- name: payments.open_shares
-- $1 intent ids, $2 order ids, $3 the part of each order in a merged payment.
INSERT INTO payment_intent_orders (intent_id, order_id, amount) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]);

-- name: payments.shares
-- $1 intent ids. The orders that each merged intent pays. Locks: none, because these rows never change.
SELECT intent_id, order_id, amount FROM payment_intent_orders WHERE intent_id = ANY($1::bigint[]) ORDER BY intent_id, order_id;

-- name: payments.own_intents
-- $1 intent ids. The order of each intent that pays one order. Locks: none, because these rows never change.
SELECT id, order_id FROM payment_intents WHERE id = ANY($1::bigint[]) AND purpose = 'order';

-- name: payments.known
-- $1 providers, $2 trade numbers, $3 kinds. The facts that are recorded already, and their content. Locks: none.
SELECT provider, trade_no, kind, order_id, intent_id, amount, currency
FROM payment_facts
JOIN unnest($1::text[], $2::text[], $3::text[]) AS k (provider, trade_no, kind) USING (provider, trade_no, kind);

-- name: payments.record
-- Inserts one row per fact, in sorted order. Fewer rows than given: another transaction recorded the same trade number first.
INSERT INTO payment_facts (provider, trade_no, kind, order_id, intent_id, amount, currency, verdict, reason_code, occurred_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
    $9::text[], $10::timestamptz[]) AS n (provider, trade_no, kind, order_id, intent_id, amount, currency, verdict, reason_code, occurred_at)
ORDER BY n.provider, n.trade_no, n.kind
ON CONFLICT DO NOTHING
RETURNING provider, trade_no, kind;

-- name: payments.kept
-- $1 order ids (locked). The capture that paid each order: its own, its parent's, or one of several merged orders. The amount is
-- the order's part of it. owed is what of that part is refunded or has a refund under way, its children's included.
SELECT o.id AS order_id, f.provider, f.trade_no, f.intent_id, o.payable_amount AS amount, f.currency,
    coalesce((SELECT sum(r.amount) FROM counted_refunds r JOIN orders m ON m.id = r.order_id
              WHERE r.provider = f.provider AND r.trade_no = f.trade_no AND o.id IN (m.id, m.parent_id)), 0)::bigint AS owed
FROM orders o
CROSS JOIN LATERAL (SELECT * FROM payment_facts p WHERE p.intent_id = o.intent_id AND p.verdict = 'kept' OFFSET 0) AS f
WHERE o.id = ANY($1::bigint[]);
