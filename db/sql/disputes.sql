-- name: disputes.captures
-- $1 providers and $2 numbers of disputes; $3 ids of others. Their captures, which never change; unknown disputes are missing. Locks: none.
SELECT d.id, d.provider, d.dispute_no, d.trade_no
FROM payment_disputes d JOIN unnest($1::text[], $2::text[]) AS k (provider, dispute_no) USING (provider, dispute_no)
UNION
SELECT d.id, d.provider, d.dispute_no, d.trade_no FROM payment_disputes d WHERE d.id = ANY($3::bigint[]);

-- name: disputes.read
-- $1 providers, $2 dispute numbers (the orders of their captures are locked). Unknown disputes are missing.
SELECT d.provider, d.dispute_no, d.state, d.amount, d.currency, d.occurred_at, d.due_at, d.id, d.trade_no,
    (SELECT count(*) FROM dispute_evidence e WHERE e.dispute_id = d.id) AS submissions,
    (SELECT count(*) FROM dispute_evidence e WHERE e.dispute_id = d.id AND e.state IN ('recorded', 'accepted')) AS given
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
-- $1 dispute ids (the orders of their captures are locked), $2 numbers, $3 references as JSON, $4 message ids, $5 who, $6 states, $7 when.
INSERT INTO dispute_evidence (dispute_id, number, evidence, message_id, actor_id, state, submitted_at)
SELECT n.dispute_id, n.number, n.evidence::jsonb, n.message_id, n.actor_id, n.state, $7::timestamptz
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::text[], $6::text[])
    AS n (dispute_id, number, evidence, message_id, actor_id, state);

-- name: disputes.to_give
-- $1 provider, $2 dispute numbers, $3 numbers of their submissions. Those that the provider has not answered. Locks: none.
SELECT d.dispute_no, e.number, d.trade_no, e.message_id, e.submitted_at
FROM unnest($2::text[], $3::integer[]) AS k (dispute_no, number)
JOIN payment_disputes d ON d.provider = $1 AND d.dispute_no = k.dispute_no
CROSS JOIN LATERAL (SELECT * FROM dispute_evidence n WHERE n.dispute_id = d.id AND n.number = k.number OFFSET 0) AS e
WHERE e.state = 'sending';

-- name: disputes.parcels
-- $1 order ids. The parcels that left with goods of each, or of its parts, the first booked first, and since when we know that. Locks: none.
SELECT DISTINCT ON (k.id, s.id) k.id AS order_id, s.carrier, s.tracking_no,
    coalesce((SELECT min(f.recorded_at) FROM shipment_facts f WHERE f.shipment_id = s.id AND f.status <> 'delayed'), s.booked_at) AS known_at
FROM unnest($1::bigint[]) AS k (id)
CROSS JOIN LATERAL (SELECT root_id FROM orders n WHERE n.id = k.id OFFSET 0) AS r
CROSS JOIN LATERAL unnest(r.root_id || ARRAY(SELECT n.id FROM orders n WHERE n.root_id = r.root_id AND n.root_id <> n.id)) AS o (id)
CROSS JOIN LATERAL (SELECT shipment_id FROM shipment_items n WHERE n.order_id = o.id OFFSET 0) AS i
CROSS JOIN LATERAL (SELECT * FROM shipments n WHERE n.id = i.shipment_id OFFSET 0) AS s
WHERE s.outbound_at IS NOT NULL AND s.case_id IS NULL
ORDER BY k.id, s.id;

-- name: disputes.answer_evidence
-- $1 dispute ids (the orders of their captures are locked), $2 numbers, $3 states, $4 why refused. Returns those that waited for an answer.
UPDATE dispute_evidence e SET state = n.state, reason_code = n.reason_code
FROM unnest($1::bigint[], $2::integer[], $3::text[], $4::text[]) AS n (dispute_id, number, state, reason_code)
WHERE e.dispute_id = n.dispute_id AND e.number = n.number AND e.state = 'sending'
RETURNING e.dispute_id, e.number;

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
