-- name: adjustments.lines
-- $1 order ids (locked). Their lines as they are priced now: the goods with their tax, and the part of the shipping.
SELECT order_id, line_no, origin_amount, payable_amount - shipping_share + shipping_adjustment AS goods,
    shipping_share - shipping_adjustment AS shipping
FROM order_items
WHERE order_id = ANY($1::bigint[])
ORDER BY line_no;

-- name: adjustments.record
-- $1 order ids (locked), $2 the version of the step, $3 line numbers (0: the whole order), $4 what comes off, $5 of it off the shipping, $6
-- reason codes. Without these rows the database refuses adjustments.apply.
INSERT INTO order_adjustments (order_id, version, line_no, amount, shipping, reason_code)
SELECT * FROM unnest($1::bigint[], $2::integer[], $3::smallint[], $4::bigint[], $5::bigint[], $6::text[]);

-- name: adjustments.apply
-- $1 order ids (locked), $2 what comes off each now, after adjustments.record. Lowers the orders, their lines, their own intents, and the merged
-- intents and shares that they are in. Locks: the intents, which only holders of the orders' locks write. Fewer rows: an order is unknown.
WITH changed AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS n (order_id, amount)
), lines AS (
    SELECT a.order_id, a.line_no, sum(a.amount)::bigint AS amount, sum(a.shipping)::bigint AS shipping
    FROM order_adjustments a
    WHERE a.order_id = ANY($1) AND a.line_no > 0
    GROUP BY a.order_id, a.line_no
), sold AS (
    UPDATE order_items i
    SET adjustment_amount = l.amount, shipping_adjustment = l.shipping, payable_amount = i.payable_amount + i.adjustment_amount - l.amount
    FROM lines l
    WHERE i.order_id = ANY($1) AND i.order_id = l.order_id AND i.line_no = l.line_no
), own AS (
    UPDATE payment_intents i SET amount = i.amount - c.amount
    FROM changed c
    WHERE i.order_id = ANY($1) AND i.order_id = c.order_id AND i.purpose <> 'merged'
), shared AS (
    UPDATE payment_intent_orders s SET amount = s.amount - c.amount
    FROM changed c
    WHERE s.order_id = ANY($1) AND s.order_id = c.order_id
), merged AS (
    UPDATE payment_intents i SET amount = i.amount - m.amount
    FROM (SELECT s.intent_id, sum(c.amount)::bigint AS amount
          FROM payment_intent_orders s JOIN changed c USING (order_id)
          WHERE s.order_id = ANY($1)
          GROUP BY s.intent_id) AS m
    WHERE i.id = m.intent_id
)
UPDATE orders o SET adjustment_amount = o.adjustment_amount + c.amount, payable_amount = o.payable_amount - c.amount
FROM changed c
WHERE o.id = ANY($1) AND o.id = c.order_id
RETURNING o.id;
