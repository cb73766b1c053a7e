CREATE VIEW counted_refunds AS
SELECT r.id, r.order_id, r.provider, r.trade_no, r.amount - r.excess_amount AS amount
FROM refunds r JOIN payment_facts f ON f.provider = r.provider AND f.trade_no = r.trade_no AND f.kind = 'captured' AND f.verdict = 'kept'
WHERE r.state <> 'failed';
COMMENT ON VIEW counted_refunds IS 'refunds that draw on the capture that an order keeps, and whose money is gone or on its way; what failed, and what is above the capture, counts for nothing';
CREATE VIEW returned_values AS
SELECT o.id AS order_id, o.root_id, sum(div(i.points_amount::numeric * i.refunded_qty, i.qty))::bigint AS points_amount,
    sum(div(i.gift_points::numeric * i.refunded_qty, i.qty))::bigint AS gift_points,
    sum(div(i.gift_growth::numeric * i.refunded_qty, i.qty))::bigint AS gift_growth, sum(i.refunded_amount)::bigint AS line_amount,
    coalesce((SELECT sum(r.amount) FROM counted_refunds r WHERE r.order_id = o.id), 0)::bigint AS refunded
FROM orders o JOIN order_items i ON i.order_id = o.id
GROUP BY o.id, o.root_id;
COMMENT ON VIEW returned_values IS 'of each order that carries goods: which part of the points that paid its lines, of the points that they earn and of their money belongs to units that went back; and the money of its refunds that count';
ALTER TABLE points_ledger ADD COLUMN short bigint NOT NULL DEFAULT 0 CHECK (short >= 0);
COMMENT ON COLUMN points_ledger.short IS 'points that were to be taken besides, but that the account did not have free';
ALTER TABLE points_ledger DROP CONSTRAINT points_ledger_op_check,
    ADD CONSTRAINT points_ledger_op_check
        CHECK (op IN ('grant', 'hold', 'use', 'release', 'return', 'reclaim', 'award', 'revoke', 'restore'));
