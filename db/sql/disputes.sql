-- name: disputes.read
-- $1 providers, $2 dispute numbers (the orders of their captures are locked). Unknown disputes are missing.
SELECT provider, dispute_no, state, amount, currency, occurred_at
FROM payment_disputes
JOIN unnest($1::text[], $2::text[]) AS k (provider, dispute_no) USING (provider, dispute_no);

-- name: disputes.save
-- $1 providers, $2 dispute numbers, $3 trade numbers, $4 states, $5 amounts, $6 currencies, $7 reason codes, $8 when. Writes the newest state.
INSERT INTO payment_disputes (provider, dispute_no, trade_no, state, amount, currency, reason_code, occurred_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::timestamptz[])
    AS n (provider, dispute_no, trade_no, state, amount, currency, reason_code, occurred_at)
ORDER BY n.provider, n.dispute_no
ON CONFLICT (provider, dispute_no) DO UPDATE SET state = excluded.state, amount = excluded.amount, currency = excluded.currency,
    reason_code = excluded.reason_code, occurred_at = excluded.occurred_at, recorded_at = clock_timestamp();

-- name: disputes.gone
-- $1 providers, $2 trade numbers (the orders are locked). The refunds of these captures that succeeded, the oldest first.
SELECT r.id, r.refund_no, r.order_id, r.provider, r.trade_no, r.cause, r.amount, r.excess_amount, r.currency
FROM unnest($1::text[], $2::text[]) AS k (provider, trade_no)
CROSS JOIN LATERAL (
    SELECT * FROM refunds n
    WHERE n.provider = k.provider AND n.trade_no = k.trade_no AND n.state IN ('succeeded', 'excess') OFFSET 0
) AS r
ORDER BY r.finished_at, r.id;

-- name: disputes.recount
-- $1 ids of refunds that succeeded (their orders are locked), $2 states, $3 what is above their captures now.
UPDATE refunds r
SET state = n.state, excess_amount = n.excess_amount
FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS n (id, state, excess_amount)
WHERE r.id = n.id;
