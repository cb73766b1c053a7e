-- name: disputes.captures
-- $1 providers and $2 numbers of disputes; $3 ids of others. Their captures, which never change; unknown disputes are missing. Locks: none.
SELECT d.id, d.provider, d.dispute_no, d.trade_no
FROM payment_disputes d JOIN unnest($1::text[], $2::text[]) AS k (provider, dispute_no) USING (provider, dispute_no)
UNION
SELECT d.id, d.provider, d.dispute_no, d.trade_no FROM payment_disputes d WHERE d.id = ANY($3::bigint[]);

-- name: disputes.read
-- $1 providers, $2 dispute numbers (the orders of their captures are locked). Unknown disputes are missing.
SELECT d.provider, d.dispute_no, d.state, d.amount, d.currency, d.occurred_at, d.due_at, d.id, d.trade_no,
    (SELECT count(*) FROM dispute_evidence e WHERE e.dispute_id = d.id) AS submissions
FROM payment_disputes d
JOIN unnest($1::text[], $2::text[]) AS k (provider, dispute_no) USING (provider, dispute_no);

-- name: disputes.save
-- $1 providers, $2 dispute numbers, $3 trade numbers, $4 states, $5 amounts, $6 currencies, $7 reason codes, $8 when, $9 until when to answer, $10 when
-- people are reminded of that. Writes the newest state, and returns the id of each dispute.
INSERT INTO payment_disputes (provider, dispute_no, trade_no, state, amount, currency, reason_code, occurred_at, due_at, remind_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::timestamptz[],
    $9::timestamptz[], $10::timestamptz[])
    AS n (provider, dispute_no, trade_no, state, amount, currency, reason_code, occurred_at, due_at, remind_at)
ORDER BY n.provider, n.dispute_no
ON CONFLICT (provider, dispute_no) DO UPDATE SET state = excluded.state, amount = excluded.amount, currency = excluded.currency,
    reason_code = excluded.reason_code, occurred_at = excluded.occurred_at, due_at = excluded.due_at, remind_at = excluded.remind_at,
    recorded_at = clock_timestamp()
RETURNING provider, dispute_no, id;

-- name: disputes.reminded
-- $1 dispute ids (the orders of their captures are locked). People were reminded of them.
UPDATE payment_disputes SET remind_at = NULL WHERE id = ANY($1::bigint[]);

-- name: disputes.add_evidence
-- $1 dispute ids (the orders of their captures are locked), $2 numbers, $3 references as JSON, $4 message ids, $5 who, $6 when.
INSERT INTO dispute_evidence (dispute_id, number, evidence, message_id, actor_id, submitted_at)
SELECT n.dispute_id, n.number, n.evidence::jsonb, n.message_id, n.actor_id, $6::timestamptz
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[]) AS n (dispute_id, number, evidence, message_id, actor_id);

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
