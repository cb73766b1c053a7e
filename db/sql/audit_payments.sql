-- name: audit_payments.captures
-- INV-06. An attempt is captured if, and only if, its provider's capture is recorded for its intent, once; and the capture has the
-- amount of the attempt, or the verdict says that it has not. A payment of merged orders may be recorded under any of them.
-- As in audit.sql: one row, how many violations, and the first five of them; locks: none.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT a.id || ' ' || a.state || ', ' || coalesce(f.verdict || ' ' || f.amount || ' ' || f.currency, 'no capture') AS id
    FROM payment_attempts a
    LEFT JOIN payment_facts f ON f.provider = a.provider AND f.trade_no = a.trade_no AND f.kind = 'captured'
    WHERE CASE a.state WHEN 'captured' THEN f.intent_id IS DISTINCT FROM a.intent_id OR f.order_id <> ALL
                (ARRAY(SELECT s.order_id FROM payment_intent_orders s WHERE s.intent_id = a.intent_id) || a.order_id)
            ELSE f.trade_no IS NOT NULL END
        OR ((f.amount, f.currency) = (a.amount, a.currency)) = (f.verdict = 'mismatch')
    UNION ALL
    SELECT provider || ':' || trade_no || ' of ' || count(*)
    FROM payment_attempts
    WHERE state = 'captured'
    GROUP BY provider, trade_no
    HAVING count(*) > 1
) AS bad;

-- name: audit_payments.attempts
-- INV-14. An attempt without a known end has a poll timer. The payment.start of an attempt in state created is undecided. Only orders
-- that wait for money have live attempts, one per intent; all other attempts are being closed.
WITH live AS (
    SELECT id, intent_id, order_id, state, command FROM payment_attempts WHERE state IN ('created', 'requested', 'unknown', 'closing')
), pays AS (
    SELECT l.id, coalesce(s.order_id, l.order_id) AS order_id
    FROM live l LEFT JOIN payment_intent_orders s USING (intent_id)
    WHERE l.state IN ('created', 'requested')
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT l.id || ' ' || l.state || ', nobody asks' AS id
    FROM live l LEFT JOIN timers t ON t.kind = 'attempt' AND t.key = l.id
    WHERE t.key IS NULL
    UNION ALL
    SELECT l.id || ' created, ' || coalesce(c.outcome_type, 'for nobody')
    FROM live l LEFT JOIN commands c ON c.scope = l.command[1] AND c.request_id = l.command[2]
    WHERE l.state = 'created' AND (c.scope IS NULL OR c.outcome_type IS NOT NULL)
    UNION ALL
    SELECT p.id || ' for ' || p.order_id || ' ' || coalesce(o.state, 'none')
    FROM pays p LEFT JOIN orders o ON o.id = p.order_id
    WHERE o.state IS DISTINCT FROM 'awaiting_payment'
    UNION ALL
    SELECT max(id) || ' and ' || count(*) - 1 || ' more'
    FROM live
    WHERE state IN ('created', 'requested')
    GROUP BY intent_id
    HAVING count(*) > 1
) AS bad;

-- name: audit_payments.refunds
-- INV-14. A refund without a known end has a poll timer, from its start if the money came through an attempt of ours.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT r.refund_no || ' ' || r.state AS id
    FROM refunds r LEFT JOIN timers t ON t.kind = 'refund' AND t.key = r.id
    WHERE r.state IN ('requested', 'submitted', 'unknown') AND t.key IS NULL
        AND (r.state <> 'requested'
            OR EXISTS (SELECT FROM payment_attempts a WHERE a.provider = r.provider AND a.trade_no = r.trade_no))
) AS bad;

-- name: audit_payments.refunds_ended
-- INV-05, when drained. Every refund of a capture that came through an attempt of ours has a known end.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT r.refund_no || ' ' || r.state AS id
    FROM refunds r
    WHERE r.state IN ('requested', 'submitted', 'unknown')
        AND EXISTS (SELECT FROM payment_attempts a WHERE a.provider = r.provider AND a.trade_no = r.trade_no)
) AS bad;

-- name: audit_payments.excess
-- No requirement: a provider gave back more than an order had left of its capture. The money must be recovered; our books are right.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT r.order_id || ' ' || r.refund_no || ' ' || r.excess_amount || ' ' || r.currency || ' above ' || r.provider || ':' || r.trade_no AS id
    FROM refunds r
    WHERE r.state = 'excess'
) AS bad;

-- name: audit_payments.excess_amounts
-- INV-04. What is marked as above a capture is above it, to the minor unit: without the mark an order had given back all of its part.
WITH refunded AS (
    SELECT order_id, provider, trade_no, sum(amount - excess_amount) AS amount, sum(excess_amount) AS excess
    FROM refunds
    WHERE state IN ('succeeded', 'excess')
    GROUP BY order_id, provider, trade_no
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT r.order_id || ' ' || r.provider || ':' || r.trade_no AS id
    FROM refunded r
    JOIN orders o ON o.id = r.order_id
    LEFT JOIN payment_facts f ON f.provider = r.provider AND f.trade_no = r.trade_no AND f.kind = 'captured'
    WHERE r.excess > 0 AND r.amount <> coalesce(CASE f.verdict WHEN 'kept' THEN o.payable_amount ELSE f.amount END, 0)
) AS bad;

-- name: audit_payments.statements
-- R-10. Everything that is marked as listed exists here, on a day that was compared; and no statement matched more rows than it has.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT l.provider || ' ' || l.kind || ' ' || l.key AS id
    FROM reconciliation_rows l
    LEFT JOIN payment_facts f ON l.kind = 'capture' AND f.provider = l.provider AND f.trade_no = l.key AND f.kind = 'captured'
    LEFT JOIN refunds r ON l.kind = 'refund' AND l.key = coalesce(r.provider_no, r.refund_no) AND r.provider = l.provider
    WHERE num_nonnulls(f.trade_no, r.refund_no) <> 1
        OR NOT EXISTS (SELECT FROM reconciliations c WHERE c.provider = l.provider AND c.day = l.day)
    UNION ALL
    SELECT provider || ' ' || day FROM reconciliations WHERE NOT (0 <= matched AND matched <= rows AND 0 <= differences)
) AS bad;
