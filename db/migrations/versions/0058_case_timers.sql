-- Cases whose inspection or refund failed, and those with goods that are to go back to the buyer, have a time from now on.
INSERT INTO timers (kind, key, due_at, wake_at)
SELECT 'after_sale', c.id, n.at, n.at
FROM after_sales c JOIN orders o ON o.id = c.order_id
    CROSS JOIN LATERAL (
        SELECT now() + make_interval(secs => coalesce((o.policy -> 'after_sale' ->> 'review_seconds')::float8, 2 * 86400)) AS at) AS n
WHERE c.state IN ('inspect_failed', 'refund_failed')
    OR c.id = ANY (ARRAY(SELECT case_id FROM after_sale_send_backs WHERE sent_at IS NULL))
ON CONFLICT (kind, key) DO NOTHING;
