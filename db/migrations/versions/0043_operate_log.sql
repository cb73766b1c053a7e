CREATE INDEX after_sales_state ON after_sales (state, requested_at, id);

CREATE VIEW operate_log_entries AS
SELECT l.order_id, l.version, l.operate_type, l.pre_state, l.cur_state, l.remark, l.actor_type, l.actor_id, l.cause_type, l.cause_id, l.at,
    NULL::bigint AS case_id, NULL::text AS case_no, NULL::text AS case_state, NULL::integer AS case_version, NULL::text AS refund_no
FROM operate_logs l
UNION ALL
SELECT c.order_id, o.version, 230::smallint, o.cur_state, o.cur_state, s.trigger, s.actor_type, s.actor_id, s.cause_type, s.cause_id, s.at,
    c.id, c.case_no, s.cur_state, s.version, NULL
FROM after_sales c
JOIN after_sale_steps s ON s.case_id = c.id
CROSS JOIN LATERAL (
    SELECT l.version, l.cur_state FROM operate_logs l WHERE l.order_id = c.order_id AND l.at <= s.at ORDER BY l.version DESC LIMIT 1
) AS o
UNION ALL
SELECT r.order_id, o.version, CASE WHEN r.cause LIKE 'late:%' THEN 160 ELSE 170 END::smallint, o.cur_state, o.cur_state,
    CASE WHEN r.cause LIKE 'late:%' THEN 'late_payment_refunded' ELSE 'duplicate_payment_refunded' END, 'system', 'oms', 'payment', r.trade_no,
    r.requested_at, NULL, NULL, NULL, NULL, r.refund_no
FROM refunds r
CROSS JOIN LATERAL (
    SELECT l.version, l.cur_state FROM operate_logs l WHERE l.order_id = r.order_id AND l.at <= r.requested_at ORDER BY l.version DESC LIMIT 1
) AS o
WHERE r.cause LIKE 'late:%' OR r.cause LIKE 'dup:%';
COMMENT ON VIEW operate_log_entries IS 'all that was done with an order: its own steps, the steps of its after-sale cases, and the refunds of payments that came late or twice. Of the last two, version and states are those that the order had then';
