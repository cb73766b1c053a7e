-- name: audit_authorizations.books
-- INV-06. Of an authorisation a provider captures at most what it reserved, once; what an order keeps of it is the whole without what was
-- released, and a voided one keeps nothing. An ended attempt says so, too. A part waits only for a capture that is under way, and only
-- an authorisation of which nothing is wanted is voided by us. As in audit.sql: one row, the violations and the first five; locks: none.
WITH released AS (
    SELECT o.root_id, sum(r.amount) AS amount, bool_or(r.state = 'deferred') AS waits
    FROM refunds r JOIN orders o ON o.id = r.order_id
    WHERE r.state IN ('released', 'deferred')
    GROUP BY o.root_id
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT a.attempt_id || ' ' || a.verdict || ' ' || a.state || ', ' || coalesce(f.verdict || ' ' || f.amount, 'no capture') AS id
    FROM payment_authorizations a
    LEFT JOIN payment_attempts t ON t.id = a.attempt_id
    LEFT JOIN payment_facts f ON f.provider = a.provider AND f.trade_no = a.trade_no AND f.kind = 'captured'
    LEFT JOIN released r ON r.root_id = a.order_id AND a.verdict = 'kept'
    WHERE t.state IS DISTINCT FROM CASE a.state WHEN 'captured' THEN 'captured' WHEN 'voided' THEN 'closed' ELSE 'authorized' END
        OR coalesce(r.amount, 0) > a.amount
        OR CASE a.state
            WHEN 'captured' THEN f.trade_no IS NULL OR (f.amount > a.amount AND f.verdict <> 'mismatch')
                OR (f.verdict = 'kept' AND a.verdict = 'kept' AND f.amount + coalesce(r.amount, 0) <> a.amount)
            WHEN 'capturing' THEN a.capture_amount IS NULL OR f.trade_no IS NOT NULL
            WHEN 'voiding' THEN f.trade_no IS NOT NULL OR (a.verdict = 'kept' AND coalesce(r.amount, 0) <> a.amount)
            ELSE f.trade_no IS NOT NULL END
        OR (a.state <> 'capturing' AND r.waits)
        OR (a.state = 'voided' AND a.verdict = 'kept'
            AND EXISTS (SELECT FROM payment_facts k WHERE k.order_id = a.order_id AND k.verdict = 'kept'))
    UNION ALL
    SELECT t.id || ' authorized, by nothing'
    FROM payment_attempts t
    WHERE t.state = 'authorized' AND NOT EXISTS (SELECT FROM payment_authorizations a WHERE a.attempt_id = t.id)
) AS bad;

-- name: audit_authorizations.goods
-- INV-05. Goods that left are paid for: their authorised money is captured or being captured. If it could not be taken, people know since
-- when (not_taken_at), and the order was held, unless it had ended. An authorisation of which
-- nothing is wanted any more is voided.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT DISTINCT o.id || ' ' || o.state || ', ' || a.state AS id
    FROM payment_authorizations a
    JOIN orders o ON o.root_id = a.order_id
    JOIN shipment_items i ON i.order_id = o.id AND NOT i.withdrawn
    JOIN shipments s ON s.id = i.shipment_id AND s.state NOT IN ('booked', 'cancelled') AND s.case_id IS NULL
    WHERE a.verdict = 'kept' AND a.state NOT IN ('captured', 'capturing')
        AND NOT (a.state IN ('voiding', 'voided') AND a.amount = (
            SELECT coalesce(sum(r.amount), 0) FROM orders m JOIN refunds r ON r.order_id = m.id
            WHERE m.root_id = a.order_id AND r.state = 'released'))
        AND NOT (a.state IN ('failed', 'voided') AND a.not_taken_at IS NOT NULL AND (o.state IN ('completed', 'cancelled') OR EXISTS (
            SELECT FROM order_holds h JOIN orders m ON m.id = h.order_id WHERE m.root_id = a.order_id AND h.kind = 'payment')))
) AS bad;

-- name: audit_authorizations.watched
-- INV-14. An authorisation that has not ended has a timer, by which it is polled, renewed or captured in time.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT a.attempt_id || ' ' || a.state AS id
    FROM payment_authorizations a LEFT JOIN timers t ON t.kind = 'authorization' AND t.key = a.attempt_id
    WHERE a.state NOT IN ('captured', 'voided') AND t.key IS NULL
) AS bad;

-- name: audit_authorizations.ended
-- INV-05, when drained. Nothing is being captured or voided, and an order that ended without goods keeps no authorised money.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT a.attempt_id || ' ' || a.state AS id FROM payment_authorizations a WHERE a.state IN ('capturing', 'voiding')
    UNION ALL
    SELECT a.attempt_id || ' ' || a.state || ' for ' || o.id || ' ' || o.state
    FROM payment_authorizations a JOIN orders o ON o.id = a.order_id
    WHERE o.state IN ('cancelled', 'rejected') AND a.state IN ('authorized', 'failed')
) AS bad;
