-- name: payments.open_merged
-- $1 ids, $2 order ids (the first of each), $3 amounts, $4 currencies, $5 deadlines. Intents that pay several orders.
INSERT INTO payment_intents (id, purpose, order_id, amount, currency, expire_at)
SELECT n.id, 'merged', n.order_id, n.amount, n.currency, n.expire_at
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[]) AS n (id, order_id, amount, currency, expire_at);

-- name: payments.open_shares
-- $1 intent ids, $2 order ids, $3 the part of each order in a merged payment.
INSERT INTO payment_intent_orders (intent_id, order_id, amount) SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]);

-- name: payments.shares
-- $1 intent ids. The orders that each merged intent pays, which never change, and the share of each, which an adjustment of the order
-- changes under the lock of the order. Locks: none.
SELECT intent_id, order_id, amount FROM payment_intent_orders WHERE intent_id = ANY($1::bigint[]) ORDER BY intent_id, order_id;

-- name: payments.own_intents
-- $1 intent ids. The order of each intent that pays one order. Locks: none, because these rows never change.
SELECT id, order_id FROM payment_intents WHERE id = ANY($1::bigint[]) AND purpose <> 'merged';

-- name: payments.known
-- $1 providers, $2 trade numbers, $3 kinds. The facts that are recorded already, and their content. Locks: none.
SELECT f.provider, f.trade_no, f.kind, f.order_id, f.intent_id, f.amount, f.currency
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (provider, trade_no, kind)
CROSS JOIN LATERAL (SELECT * FROM payment_facts p WHERE p.provider = k.provider AND p.trade_no = k.trade_no AND p.kind = k.kind OFFSET 0) AS f;

-- name: payments.record
-- Inserts one row per fact, in sorted order. Fewer rows than given: another transaction recorded the same trade number first.
INSERT INTO payment_facts (provider, trade_no, kind, order_id, intent_id, amount, currency, verdict, reason_code, occurred_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
    $9::text[], $10::timestamptz[]) AS n (provider, trade_no, kind, order_id, intent_id, amount, currency, verdict, reason_code, occurred_at)
ORDER BY n.provider, n.trade_no, n.kind
ON CONFLICT DO NOTHING
RETURNING provider, trade_no, kind;

-- name: payments.end_waiting
-- $1 order ids (locked), $2 verdicts: kept or late. The captures that waited for what becomes of these orders. Fewer rows: none waited.
UPDATE payment_facts f SET verdict = n.verdict
FROM unnest($1::bigint[], $2::text[]) AS n (order_id, verdict)
WHERE f.order_id = ANY($1) AND f.order_id = n.order_id AND f.kind = 'captured' AND f.verdict = 'waiting'
RETURNING f.order_id, f.provider, f.trade_no, f.intent_id, f.amount, f.currency, f.verdict;

-- name: payments.kept
-- $1 order ids (locked). The capture that paid each order: its own, its parent's, or one of several merged orders; before the capture,
-- the authorisation that did, with its state. The amount is the order's part of it. owed is what of that part is refunded or has a
-- refund under way, or is released, its children's included: whatever number the authorisation had when that was decided, because a
-- renewal gives it another. An order keeps one payment at most, so all its refunds that count draw on that one.
SELECT o.id AS order_id, f.provider, f.trade_no, f.intent_id, o.payable_amount AS amount, f.currency,
    coalesce((
        SELECT sum(r.amount)
        FROM (
            SELECT o.id AS id
            UNION ALL
            SELECT c.id FROM orders c WHERE c.root_id = o.root_id AND c.root_id <> c.id AND c.parent_id = o.id
        ) AS m
        CROSS JOIN LATERAL (SELECT n.amount FROM counted_refunds n WHERE n.order_id = m.id OFFSET 0) AS r
    ), 0)::bigint AS owed, f.reserved
FROM orders o
CROSS JOIN LATERAL (
    SELECT p.provider, p.trade_no, p.intent_id, p.currency, NULL AS reserved
    FROM payment_facts p
    WHERE p.intent_id = o.intent_id AND p.verdict = 'kept'
    UNION ALL
    SELECT a.provider, a.authorization_no, o.intent_id, a.currency, a.state
    FROM payment_authorizations a
    WHERE a.order_id = o.root_id AND a.verdict = 'kept' AND a.state <> 'captured'
    OFFSET 0
) AS f
WHERE o.id = ANY($1::bigint[]);
