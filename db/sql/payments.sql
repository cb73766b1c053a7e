-- name: payments.open_intents
-- $1 ids, $2 order ids, $3 amounts, $4 currencies, $5 deadlines. One intent per order and purpose (C-04).
INSERT INTO payment_intents (id, order_id, amount, currency, expire_at)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[]);

-- name: payments.known
-- $1 channels, $2 trade numbers, $3 kinds. Which of these facts are recorded already, and for what.
SELECT channel, trade_no, kind, order_id, amount, currency
FROM payment_facts
JOIN unnest($1::text[], $2::text[], $3::text[]) AS k (channel, trade_no, kind) USING (channel, trade_no, kind);

-- name: payments.record
-- One row per fact, inserted sorted. Fewer rows than given: another order's transaction recorded the same trade number first.
INSERT INTO payment_facts (channel, trade_no, kind, order_id, intent_id, amount, currency, verdict, reason, occurred_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[], $8::text[],
    $9::text[], $10::timestamptz[]) AS n (channel, trade_no, kind, order_id, intent_id, amount, currency, verdict, reason, occurred_at)
ORDER BY n.channel, n.trade_no, n.kind
ON CONFLICT DO NOTHING
RETURNING channel, trade_no, kind;

-- name: payments.kept
-- $1 order ids (locked). The capture each order keeps, and how much of it is refunded or asked for already.
SELECT f.order_id, f.channel, f.trade_no, f.intent_id, f.amount, f.currency,
    coalesce((SELECT sum(r.amount) FROM refunds r WHERE r.channel = f.channel AND r.trade_no = f.trade_no), 0)::bigint AS owed
FROM payment_facts f
WHERE f.order_id = ANY($1::bigint[]) AND f.verdict = 'kept';
