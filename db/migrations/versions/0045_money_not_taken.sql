-- Since when people have to act because wanted money could not be taken. Rows of before have the time of their last change.
ALTER TABLE payment_authorizations ADD COLUMN not_taken_at timestamptz;
COMMENT ON COLUMN payment_authorizations.not_taken_at IS 'since when people have to act, because wanted money could not be taken; an alert was raised then';
UPDATE payment_authorizations a SET not_taken_at = a.updated_at
WHERE a.verdict = 'kept' AND a.state IN ('failed', 'voided')
    AND a.amount > (
        SELECT coalesce(sum(r.amount), 0) FROM orders o JOIN refunds r ON r.order_id = o.id
        WHERE o.root_id = a.order_id AND r.state IN ('released', 'deferred'));
