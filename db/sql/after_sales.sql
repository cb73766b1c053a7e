-- name: after_sales.of_orders
-- $1 order ids (locked). All cases of these orders, the oldest first.
SELECT id, case_no, order_id, type, source, reason_code, merchant_fault, requested_at, state, version, evidence::text AS evidence,
    granted_amount, refund_amount, carrier, tracking_no, processed_at, completed_at, received_at, parcel_id, balance_amount
FROM after_sales
WHERE order_id = ANY($1::bigint[])
ORDER BY id;

-- name: after_sales.lines
-- $1 case ids (their orders are locked). Their lines, in order, and how much of each goes back to the buyer, or has left for the buyer.
SELECT l.case_id, l.line_no, l.qty, l.accepted_qty, l.refused_qty, l.refunded_qty, l.replaced_qty, l.wanted_sku_id,
    coalesce(b.qty, 0) AS sending_qty, CASE WHEN b.sent_at IS NULL THEN 0 ELSE b.qty END AS sent_qty,
    l.exchange_qty, l.exchange_value, l.exchange_credit, l.lost_qty
FROM after_sale_lines l
LEFT JOIN LATERAL (
    SELECT s.qty, s.sent_at FROM after_sale_send_backs s WHERE s.case_id = l.case_id AND s.line_no = l.line_no OFFSET 0) AS b ON true
WHERE l.case_id = ANY($1::bigint[])
ORDER BY l.case_id, l.line_no;

-- name: after_sales.rules
-- $1 order ids. The after-sale rules that each order keeps, as JSON. Orders that keep the defaults are missing.
SELECT id, (policy -> 'after_sale')::text AS rules FROM orders WHERE id = ANY($1::bigint[]) AND policy ? 'after_sale';

-- name: after_sales.orders_of
-- $1 case ids. The order of each. Unknown cases are missing.
SELECT id, order_id FROM after_sales WHERE id = ANY($1::bigint[]);

-- name: after_sales.open_orders
-- $1 order ids (locked). Those with a case that has not ended.
SELECT order_id FROM after_sales WHERE order_id = ANY($1::bigint[]) GROUP BY order_id HAVING bool_or(completed_at IS NULL);

-- name: after_sales.save
-- Locks: the orders are locked. Inserts new cases and updates known ones: $1 ids, $2 numbers, $3 order ids, $4 types, $5 sources, $6 reason
-- codes, $7 whether the merchant is at fault, $8 when requested, $9 states, $10 versions, $11 evidence as JSON, $12 granted and $13 refund
-- amounts, $14 carriers, $15 tracking numbers, $16 when processed, $17 when completed. Their lines: $18 case ids, $19 line numbers, $20
-- units, $21 accepted, $22 refused, $23 refunded, $24 replaced, $25 wanted SKUs, of the newest exchange order $26 units, $27 what they
-- count for, $28 what of it pays and $29 units that are lost. The steps: $30 case ids, $31 versions, $32 triggers, $33 and
-- $34 states before and after, $35 and $36 actors, $37 and $38 causes, $39 reason codes, $40 when. Reports of inspections:
-- $41 case ids, $42 versions, $43 line numbers, $44 dispositions, $45 units. Of the cases also $46 when their goods came back and $47 the
-- parcels that came back without a case, $48 what exchanges leave. Fewer rows than cases: a lost update.
WITH lines AS (
    INSERT INTO after_sale_lines AS l (case_id, line_no, qty, accepted_qty, refused_qty, refunded_qty, replaced_qty, wanted_sku_id,
        exchange_qty, exchange_value, exchange_credit, lost_qty)
    SELECT * FROM unnest($18::bigint[], $19::smallint[], $20::integer[], $21::integer[], $22::integer[], $23::integer[], $24::integer[],
        $25::text[], $26::integer[], $27::bigint[], $28::bigint[], $29::integer[])
    ON CONFLICT (case_id, line_no) DO UPDATE
    SET accepted_qty = excluded.accepted_qty, refused_qty = excluded.refused_qty, refunded_qty = excluded.refunded_qty,
        replaced_qty = excluded.replaced_qty, exchange_qty = excluded.exchange_qty, exchange_value = excluded.exchange_value,
        exchange_credit = excluded.exchange_credit, lost_qty = excluded.lost_qty
), steps AS (
    INSERT INTO after_sale_steps (case_id, version, trigger, pre_state, cur_state, actor_type, actor_id, cause_type, cause_id, reason_code, at)
    SELECT * FROM unnest($30::bigint[], $31::integer[], $32::text[], $33::text[], $34::text[], $35::text[], $36::text[], $37::text[],
        $38::text[], $39::text[], $40::timestamptz[])
), inspections AS (
    INSERT INTO after_sale_inspections (case_id, version, line_no, disposition, qty)
    SELECT * FROM unnest($41::bigint[], $42::integer[], $43::smallint[], $44::text[], $45::integer[])
)
INSERT INTO after_sales AS c (id, case_no, order_id, type, source, reason_code, merchant_fault, requested_at, state, version, evidence,
    granted_amount, refund_amount, carrier, tracking_no, processed_at, completed_at, received_at, parcel_id, balance_amount)
SELECT n.id, n.case_no, n.order_id, n.type, n.source, n.reason_code, n.merchant_fault, n.requested_at, n.state, n.version, n.evidence::jsonb,
    n.granted_amount, n.refund_amount, n.carrier, n.tracking_no, n.processed_at, n.completed_at,
    n.received_at, n.parcel_id, n.balance_amount
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::boolean[], $8::timestamptz[], $9::text[],
    $10::integer[], $11::text[], $12::bigint[], $13::bigint[], $14::text[], $15::text[], $16::timestamptz[], $17::timestamptz[],
    $46::timestamptz[], $47::bigint[], $48::bigint[])
    AS n (id, case_no, order_id, type, source, reason_code, merchant_fault, requested_at, state, version, evidence, granted_amount,
          refund_amount, carrier, tracking_no, processed_at, completed_at, received_at, parcel_id, balance_amount)
ON CONFLICT (id) DO UPDATE
SET merchant_fault = excluded.merchant_fault, state = excluded.state, version = excluded.version, granted_amount = excluded.granted_amount,
    refund_amount = excluded.refund_amount, carrier = excluded.carrier, tracking_no = excluded.tracking_no,
    processed_at = excluded.processed_at, completed_at = excluded.completed_at, received_at = excluded.received_at,
    parcel_id = excluded.parcel_id, balance_amount = excluded.balance_amount
WHERE c.version <= excluded.version
RETURNING c.id;
