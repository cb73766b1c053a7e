-- name: send_backs.request
-- $1 case ids (their orders are locked), $2 line numbers, $3 warehouses, $4 units, $5 and $6 causes; $7 the time. Goods of cases that
-- warehouses are to send back to the buyer, once for each line.
INSERT INTO after_sale_send_backs (case_id, line_no, warehouse, qty, requested_at, cause_type, cause_id)
SELECT n.case_id, n.line_no, n.warehouse, n.qty, $7::timestamptz, n.cause_type, n.cause_id
FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::integer[], $5::text[], $6::text[])
    AS n (case_id, line_no, warehouse, qty, cause_type, cause_id);

-- name: send_backs.hand_over
-- $1 case ids (their orders are locked), $2 warehouses, $3 parcels, $4 and $5 actors, $6 and $7 causes; $8 the time. The parcels have left.
UPDATE after_sale_send_backs b
SET parcel_id = n.parcel_id, sent_at = $8::timestamptz, sent_actor_type = n.actor_type, sent_actor_id = n.actor_id,
    sent_cause_type = n.cause_type, sent_cause_id = n.cause_id
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[])
    AS n (case_id, warehouse, parcel_id, actor_type, actor_id, cause_type, cause_id)
WHERE b.case_id = n.case_id AND b.warehouse = n.warehouse AND b.sent_at IS NULL;

-- name: send_backs.unsent
-- $1 order ids (locked). The goods of their cases that warehouses have to send back to the buyer, line by line. Locks: none.
SELECT c.order_id, b.warehouse, c.id AS case_id, c.case_no, c.version, b.line_no, i.sku_id, b.qty
FROM after_sales c JOIN after_sale_send_backs b ON b.case_id = c.id
    JOIN order_items i ON i.order_id = c.order_id AND i.line_no = b.line_no
WHERE c.order_id = ANY ($1::bigint[]) AND b.sent_at IS NULL
ORDER BY c.id, b.line_no;
