ALTER TABLE after_sale_lines ADD COLUMN exchange_qty integer NOT NULL DEFAULT 0;
ALTER TABLE after_sale_lines ADD COLUMN exchange_value bigint NOT NULL DEFAULT 0 CHECK (exchange_value >= 0);
ALTER TABLE after_sale_lines ADD COLUMN exchange_credit bigint NOT NULL DEFAULT 0 CHECK (exchange_credit >= 0);
ALTER TABLE after_sale_lines ADD COLUMN lost_qty integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN after_sale_lines.exchange_qty IS 'units of this line in the newest exchange order of the case';
COMMENT ON COLUMN after_sale_lines.exchange_value IS 'what these units count for; exchange_credit of the price of the other goods is paid with them';
COMMENT ON COLUMN after_sale_lines.lost_qty IS 'units of the exchange order that never arrived, or came back';

UPDATE after_sale_lines l
SET exchange_qty = n.qty, exchange_value = n.value, exchange_credit = n.credit
FROM (
    SELECT c.case_id, c.line_no, i.qty, i.promotion_amount AS credit,
        CASE WHEN e.price_amount > e.value_amount OR count(*) OVER (PARTITION BY c.case_id) > 1 THEN i.promotion_amount
            ELSE e.value_amount END AS value
    FROM (SELECT DISTINCT ON (case_id) * FROM exchange_orders ORDER BY case_id, order_id DESC) AS e
    JOIN LATERAL (
        SELECT a.case_id, a.line_no, row_number() OVER (ORDER BY a.line_no) AS place
        FROM after_sale_lines a
        WHERE a.case_id = e.case_id AND (a.accepted_qty > 0
            OR (SELECT sum(b.qty) FROM after_sale_lines b WHERE b.case_id = e.case_id)
                = (SELECT sum(b.qty) FROM order_items b WHERE b.order_id = e.order_id))
    ) AS c ON true
    JOIN order_items i ON i.order_id = e.order_id AND i.line_no = c.place
) AS n
WHERE (l.case_id, l.line_no) = (n.case_id, n.line_no);

ALTER TABLE after_sale_lines ADD CONSTRAINT after_sale_lines_exchanged CHECK (exchange_qty BETWEEN 0 AND qty AND lost_qty BETWEEN 0 AND exchange_qty);

ALTER TABLE after_sales ADD COLUMN balance_amount bigint;
COMMENT ON COLUMN after_sales.balance_amount IS 'what an exchange leaves once its goods are out: above 0 it has gone back to the buyer, below 0 the buyer owes it';
ALTER TABLE after_sales DROP CONSTRAINT after_sales_state_check;
ALTER TABLE after_sales ADD CONSTRAINT after_sales_state_check CHECK (state IN ('requested', 'reopened', 'approved', 'rejected', 'revoked',
    'awaiting_return', 'return_in_transit', 'received', 'inspecting', 'inspect_passed', 'inspect_failed', 'reshipping', 'refunding',
    'refund_failed', 'completed', 'closed', 'unreturned'));
ALTER TABLE after_sales DROP CONSTRAINT after_sales_completed;
ALTER TABLE after_sales ADD CONSTRAINT after_sales_completed CHECK ((completed_at IS NOT NULL)
    = (state IN ('completed', 'rejected', 'revoked', 'closed', 'unreturned')));
ALTER TABLE after_sales ADD CONSTRAINT after_sales_owed CHECK (state <> 'unreturned' OR balance_amount < 0);

UPDATE after_sales c
SET balance_amount = greatest(0, e.value_amount - e.price_amount)
FROM (SELECT DISTINCT ON (case_id) * FROM exchange_orders ORDER BY case_id, order_id DESC) AS e
WHERE e.case_id = c.id AND (c.state = 'reshipping'
    OR c.state = 'completed' AND EXISTS (SELECT FROM after_sale_lines l WHERE l.case_id = c.id AND l.replaced_qty > 0));
