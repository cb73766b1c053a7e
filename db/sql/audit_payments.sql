-- name: audit_payments.captures
-- INV-06. An attempt is captured if, and only if, its provider's capture is recorded for its intent, once; and the capture has the
-- amount of the attempt, or of what was wanted of its authorisation, or the verdict says that it has not. A payment of merged orders may be recorded under any of them.
-- As in audit.sql: one row, how many violations, and the first five of them; locks: none.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT a.id || ' ' || a.state || ', ' || coalesce(f.verdict || ' ' || f.amount || ' ' || f.currency, 'no capture') AS id
    FROM payment_attempts a
    LEFT JOIN payment_facts f ON f.provider = a.provider AND f.trade_no = a.trade_no AND f.kind = 'captured'
    LEFT JOIN payment_authorizations z ON z.attempt_id = a.id
    WHERE CASE a.state WHEN 'captured' THEN f.intent_id IS DISTINCT FROM a.intent_id OR f.order_id <> ALL
                (ARRAY(SELECT s.order_id FROM payment_intent_orders s WHERE s.intent_id = a.intent_id) || a.order_id)
            ELSE f.trade_no IS NOT NULL END
        OR (f.amount IN (a.amount, coalesce(z.capture_amount, a.amount)) AND f.currency = a.currency) = (f.verdict = 'mismatch') AND NOT EXISTS (
            SELECT FROM order_adjustments j
            WHERE j.at >= a.started_at AND j.order_id = ANY(
                ARRAY(SELECT s.order_id FROM payment_intent_orders s WHERE s.intent_id = a.intent_id) || a.order_id))
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

-- name: audit_payments.replaced_refunds
-- INV-05. A refund that replaces another gives back the same money: the same amount of the same capture of the same order. The other one
-- had failed; that its provider reported a success later is allowed.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT r.refund_no || ' for ' || r.replaces AS id
    FROM refunds r
    WHERE r.replaces IS NOT NULL AND NOT EXISTS (
        SELECT FROM refunds f
        WHERE f.refund_no = r.replaces AND f.id <> r.id AND (f.order_id, f.provider, f.trade_no, f.amount, f.currency)
            = (r.order_id, r.provider, r.trade_no, r.amount, r.currency) AND f.state IN ('failed', 'succeeded', 'excess'))
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
    WHERE state IN ('succeeded', 'excess', 'released')
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

-- name: audit_payments.lost_disputes
-- INV-05. $1 seconds of grace. The money of a lost dispute has left: by a reversal, or by a refund that was made at the provider. Where
-- no other dispute of the capture is open or was closed, the reversals took no more than that. The provider reports both by itself, so a
-- difference is work for people: the report of a reversal is missing, or the provider owes the shop.
WITH ended AS (
    SELECT provider, trade_no, currency, sum(amount) FILTER (WHERE state = 'lost') AS lost,
        bool_or(state IN ('opened', 'closed')) AS others
    FROM payment_disputes
    GROUP BY provider, trade_no, currency
    HAVING bool_or(state = 'lost') AND max(recorded_at) < now() - make_interval(secs => $1::float8)
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT e.provider || ':' || e.trade_no || ' ' || e.lost || ' ' || e.currency || ' lost, ' || r.reversed || ' reversed' AS id
    FROM ended e CROSS JOIN LATERAL (
        SELECT coalesce(sum(n.amount), 0) AS gone, coalesce(sum(n.amount) FILTER (WHERE n.cause LIKE 'reversal:%'), 0) AS reversed
        FROM refunds n
        WHERE n.provider = e.provider AND n.trade_no = e.trade_no AND n.currency = e.currency AND n.state IN ('succeeded', 'excess')
            AND n.cause ~ '^(reversal|foreign):'
    ) AS r
    WHERE r.gone < e.lost OR (r.reversed > e.lost AND NOT e.others)
) AS bad;

-- name: audit_payments.won_disputes
-- INV-05. A won dispute brought the reversals before it back, up to its amount; and no reversal came back without a dispute.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT r.refund_no || ' of ' || d.provider || ':' || d.dispute_no AS id
    FROM payment_disputes d JOIN refunds r ON r.provider = d.provider AND r.trade_no = d.trade_no
    WHERE d.state = 'won' AND r.cause LIKE 'reversal:%' AND r.state IN ('succeeded', 'excess') AND r.finished_at < d.recorded_at
        AND r.amount <= d.amount - (SELECT coalesce(sum(b.amount), 0) FROM refunds b
            WHERE b.provider = d.provider AND b.trade_no = d.trade_no AND b.state = 'returned')
    UNION ALL
    SELECT r.refund_no || ' returned'
    FROM refunds r
    WHERE r.state = 'returned' AND NOT EXISTS (SELECT FROM payment_disputes d WHERE d.provider = r.provider AND d.trade_no = r.trade_no)
) AS bad;

-- name: audit_payments.evidence
-- The submissions against a dispute are numbered without a gap.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT dispute_id || ' of ' || max(number) AS id FROM dispute_evidence GROUP BY dispute_id HAVING count(*) <> max(number)
) AS bad;

-- name: audit_payments.given_evidence
-- When drained. A provider has answered what we gave it against a dispute.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT d.provider || ':' || d.dispute_no || ' ' || e.number AS id
    FROM dispute_evidence e JOIN payment_disputes d ON d.id = e.dispute_id
    WHERE e.state = 'sending'
) AS bad;

-- name: audit_payments.dispute_timers
-- INV-14. $1 seconds of grace. While people are to be reminded of an open dispute, it has its timer, which is not overdue by more.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT d.provider || ':' || d.dispute_no AS id
    FROM payment_disputes d LEFT JOIN timers t ON t.kind = 'dispute' AND t.key = d.id
    WHERE d.remind_at IS NOT NULL AND (t.key IS NULL OR t.due_at < now() - make_interval(secs => $1::float8))
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
