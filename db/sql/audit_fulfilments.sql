-- name: audit_fulfilments.accepted
-- INV-20. An order that is fulfilling, or was when it was to be cancelled, has a hand-over that its warehouse has accepted.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT o.id || ' ' || o.state AS id
    FROM orders o
    WHERE o.state IN ('fulfilling', 'cancelling') AND NOT EXISTS (
        SELECT FROM fulfilment_steps s
        WHERE s.order_id = o.id AND s.cur_state IN ('accepted', 'picking', 'packed', 'handed_over'))
) AS bad;

-- name: audit_fulfilments.ended
-- INV-20. $1 seconds of grace, because the message that withdraws them may be under way. No hand-over of a cancelled order is open.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT f.order_id || '@' || f.warehouse AS id
    FROM fulfilments f JOIN orders o ON o.id = f.order_id
    WHERE f.state IN ('requested', 'accepted', 'picking', 'packed') AND o.state IN ('cancelled', 'rejected')
        AND o.updated_at <= now() - make_interval(secs => $1::float8)
) AS bad;

-- name: audit_fulfilments.addresses
-- INV-20. $1 seconds of grace, because the new request may be under way. A warehouse that works on an order got the address that
-- the order has.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT f.order_id || '@' || f.warehouse AS id
    FROM fulfilments f JOIN orders o ON o.id = f.order_id LEFT JOIN order_addresses a ON a.order_id = f.order_id
    WHERE f.state NOT IN ('refused', 'withdrawn') AND f.address_changes <> coalesce(a.modify_count, 0)
        AND o.updated_at <= now() - make_interval(secs => $1::float8)
) AS bad;

-- name: audit_fulfilments.histories
-- INV-20. A hand-over is where its history says, and its history has no jump.
WITH steps AS (
    SELECT order_id, warehouse, pre_state, cur_state, number,
        lag(cur_state, 1, '') OVER way AS before, lead(cur_state) OVER way IS NULL AS is_last
    FROM fulfilment_steps
    WINDOW way AS (PARTITION BY order_id, warehouse ORDER BY id)
)
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || '@' || warehouse AS id FROM steps WHERE pre_state <> before
    UNION
    SELECT order_id || '@' || warehouse
    FROM fulfilments f FULL JOIN (SELECT * FROM steps WHERE is_last) s USING (order_id, warehouse)
    WHERE (f.state, f.number) IS DISTINCT FROM (s.cur_state, s.number)
) AS bad;

-- name: audit_fulfilments.waybills
-- INV-21. A booked waybill has its parcel, under the number that the carrier gave; no other waybill has one that is not cancelled. The
-- command of one that has an answer has its outcome. One that is requested or unused has the timer that has it booked or cancelled. Its
-- parcel holds, or held, goods of every order of its plan, and of these never more units of a SKU than the carrier was to take.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT w.id || ' ' || w.state AS id
    FROM waybills w LEFT JOIN shipments s ON s.id = w.id LEFT JOIN timers t ON t.kind = 'waybill' AND t.key = w.id
        LEFT JOIN commands c ON c.scope = w.scope AND c.request_id = w.request_id
    WHERE (w.state = 'booked') IS DISTINCT FROM coalesce(s.state <> 'cancelled', false)
        OR (s.carrier, s.tracking_no) IS DISTINCT FROM (w.carrier, w.tracking_no) AND s.id IS NOT NULL
        OR (c.outcome_type IS NULL) <> (w.state = 'requested') AND c.scope IS NOT NULL
        OR w.state IN ('requested', 'unused') AND t.key IS NULL
        OR s.id IS NOT NULL AND NOT w.order_ids <@ ARRAY(SELECT m.order_id FROM shipment_items m WHERE m.shipment_id = w.id)
    UNION ALL
    SELECT w.id || ' ' || i.sku_id
    FROM waybills w JOIN shipment_items m ON m.shipment_id = w.id AND m.order_id = ANY (w.order_ids)
        JOIN order_items i ON i.order_id = m.order_id AND i.line_no = m.line_no
    WHERE w.plan ? 'lines'
    GROUP BY w.id, w.order_id, w.plan, m.order_id, i.sku_id
    HAVING sum(m.qty) > (
        SELECT coalesce(sum((l ->> 'qty')::integer), 0) FROM jsonb_array_elements(w.plan -> 'lines') AS l
        WHERE l ->> 'sku_id' = i.sku_id AND coalesce((l ->> 'order_id')::bigint, w.order_id) = m.order_id)
) AS bad;
