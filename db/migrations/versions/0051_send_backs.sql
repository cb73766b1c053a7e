CREATE TABLE after_sale_send_backs (
    case_id         bigint      NOT NULL REFERENCES after_sales (id) ON DELETE CASCADE,
    line_no         smallint    NOT NULL,
    warehouse       text        NOT NULL,
    qty             integer     NOT NULL CHECK (qty > 0),
    requested_at    timestamptz NOT NULL,
    cause_type      text        NOT NULL,
    cause_id        text        NOT NULL,
    parcel_id       bigint,
    sent_at         timestamptz,
    sent_actor_type text,
    sent_actor_id   text,
    sent_cause_type text,
    sent_cause_id   text,
    PRIMARY KEY (case_id, line_no),
    CONSTRAINT after_sale_send_backs_sent CHECK (num_nulls(parcel_id, sent_at, sent_actor_type, sent_actor_id, sent_cause_type, sent_cause_id) IN (0, 6))
);
COMMENT ON TABLE after_sale_send_backs IS 'goods of a case that a warehouse is to send back to the buyer, because they were refused or the case ended without them';
COMMENT ON COLUMN after_sale_send_backs.parcel_id IS 'the parcel that takes them to the buyer, once the warehouse has handed it over';

ALTER TABLE shipments ADD COLUMN to_buyer boolean NOT NULL DEFAULT false;
ALTER TABLE shipments ADD CONSTRAINT shipments_to_buyer CHECK (case_id IS NOT NULL OR NOT to_buyer);
COMMENT ON COLUMN shipments.case_id IS 'the after-sale case whose goods the parcel carries; it ships nothing of its order';
COMMENT ON COLUMN shipments.to_buyer IS 'with a case: it takes refused goods back to the buyer, and not to the warehouse';

CREATE OR REPLACE VIEW operate_log_entries AS
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
SELECT c.order_id, o.version, 230::smallint, o.cur_state, o.cur_state, b.remark, b.actor_type, b.actor_id, b.cause_type, b.cause_id, b.at,
    c.id, c.case_no, k.cur_state, k.version, NULL
FROM after_sales c
CROSS JOIN LATERAL (
    SELECT DISTINCT 'send_back_requested' AS remark, 'system' AS actor_type, 'oms' AS actor_id, cause_type, cause_id, requested_at AS at
    FROM after_sale_send_backs WHERE case_id = c.id
    UNION ALL
    SELECT DISTINCT 'sent_back', sent_actor_type, sent_actor_id, sent_cause_type, sent_cause_id, sent_at
    FROM after_sale_send_backs WHERE case_id = c.id AND sent_at IS NOT NULL
) AS b
CROSS JOIN LATERAL (
    SELECT s.version, s.cur_state FROM after_sale_steps s WHERE s.case_id = c.id AND s.at <= b.at ORDER BY s.version DESC LIMIT 1
) AS k
CROSS JOIN LATERAL (
    SELECT l.version, l.cur_state FROM operate_logs l WHERE l.order_id = c.order_id AND l.at <= b.at ORDER BY l.version DESC LIMIT 1
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
