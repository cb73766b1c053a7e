-- name: case_repairs.refunds
-- Cases that do not follow their refunds. $1 order ids (null: all), $2 seconds for which neither the refunds nor the case must have changed,
-- because the news may be under way. One row for each, with the refund and the news of it that the case lacks: that one succeeded, that the
-- part that completed the case was captured after all, that one was requested again, or that the last one failed. Locks: none.
WITH known AS (
    SELECT case_id, max(greatest(requested_at, finished_at)) AS at,
        (array_agg(refund_no ORDER BY id) FILTER (WHERE state IN ('succeeded', 'excess', 'released', 'returned')))[1] AS gone,
        (array_agg(refund_no ORDER BY id DESC) FILTER (WHERE state IN ('requested', 'submitted', 'unknown', 'deferred')))[1] AS running,
        (array_agg(refund_no ORDER BY id DESC) FILTER (WHERE state = 'failed'))[1] AS failed
    FROM refunds
    WHERE case_id IS NOT NULL
    GROUP BY case_id
), behind AS (
    SELECT c.id, c.order_id, c.state, coalesce(k.gone, k.running, k.failed) AS refund_no, k.at,
        CASE WHEN k.gone IS NOT NULL THEN CASE WHEN c.state IN ('refunding', 'refund_failed', 'closed') THEN 'succeeded' END
            WHEN c.state = 'completed' THEN 'captured'
            WHEN k.running IS NOT NULL THEN CASE c.state WHEN 'refund_failed' THEN 'requested' END
            WHEN c.state = 'refunding' THEN 'failed' END AS news
    FROM known k JOIN after_sales c ON c.id = k.case_id
    WHERE $1::bigint[] IS NULL OR c.order_id = ANY ($1)
)
SELECT b.order_id, o.order_no, o.state AS order_state, b.id AS case_id, b.state, b.refund_no, b.news, greatest(b.at, s.at) AS since
FROM behind b JOIN orders o ON o.id = b.order_id
    JOIN LATERAL (SELECT max(at) AS at FROM after_sale_steps WHERE case_id = b.id OFFSET 0) AS s ON true
WHERE b.news IS NOT NULL AND greatest(b.at, s.at) <= now() - make_interval(secs => $2::float8)
ORDER BY b.order_id, b.id;

-- name: case_repairs.exchanges
-- Exchange orders and their cases, of which one does not know what became of the other. $1 order ids (null: all), $2 seconds as above. `news`
-- is what the case lacks (reserved, paid, delivered, rejected, cancelled), or the order (send, end). Stock in a database of its own says nothing of a
-- reservation: then the saga timer ends it. Locks: none.
WITH moved AS (
    SELECT e.order_id, e.first_order_id, e.case_id, e.state,
        CASE WHEN o.state = 'placing' THEN CASE e.state WHEN 'confirmed' THEN 'send' WHEN 'ended' THEN 'end'
                WHEN 'reserving' THEN CASE h.state WHEN 'reserved' THEN 'reserved' END END
            WHEN e.state IN ('delivered', 'ended') THEN NULL
            WHEN o.delivered_at IS NOT NULL OR o.completed_at IS NOT NULL THEN 'delivered'
            WHEN o.state IN ('rejected', 'cancelled') THEN o.state
            WHEN o.paid_at IS NOT NULL AND e.state <> 'paid' THEN 'paid' END AS news,
        greatest(o.updated_at, (SELECT max(at) FROM after_sale_steps WHERE case_id = e.case_id)) AS since
    FROM exchange_orders e JOIN orders o ON o.id = e.order_id LEFT JOIN stock_holders h ON h.holder_id = e.order_id
    WHERE $1::bigint[] IS NULL OR e.first_order_id = ANY ($1) OR e.order_id = ANY ($1)
)
SELECT m.order_id AS exchange_order_id, m.first_order_id AS order_id, f.order_no, f.state AS order_state, m.case_id, m.state, m.news, m.since
FROM moved m JOIN orders f ON f.id = m.first_order_id
WHERE m.news IS NOT NULL AND m.since <= now() - make_interval(secs => $2::float8)
ORDER BY m.first_order_id, m.order_id;

-- name: case_repairs.parcels
-- Parcels that cases do not follow. $1 order ids (null: all), $2 seconds as above. `outcome` is what the cases of the order lack: the parcel has
-- arrived with goods of its case (case_id), or with goods that came back after they were delivered; those are on their way back; or the parcel
-- failed, and nothing is left of a case. `alone`: no case is about the parcel, and one may have to be opened. Locks: none.
WITH waiting AS (
    SELECT c.*
    FROM after_sales c
    WHERE c.received_at IS NULL AND c.state IN ('requested', 'reopened', 'rejected', 'approved', 'awaiting_return', 'return_in_transit')
        AND ($1::bigint[] IS NULL OR c.order_id = ANY ($1))
), found AS (
    SELECT w.order_id, s.id, w.id AS case_id, 'arrived' AS outcome, false AS alone
    FROM waiting w JOIN shipments s ON s.case_id = w.id
    WHERE NOT s.to_buyer AND s.state = 'delivered'
    UNION ALL
    SELECT w.order_id, s.id, NULL, 'arrived', false
    FROM waiting w JOIN shipments s ON s.id = w.parcel_id
    WHERE s.state = 'returned'
    UNION ALL
    SELECT i.order_id, s.id, NULL, CASE s.state WHEN 'returned' THEN 'arrived' ELSE 'on_its_way' END, true
    FROM shipments s JOIN (SELECT DISTINCT shipment_id, order_id FROM shipment_items WHERE NOT withdrawn AND NOT given_up) AS i
        ON i.shipment_id = s.id
    WHERE s.delivered_at IS NOT NULL AND s.state IN ('refused', 'undeliverable', 'returning', 'returned') AND s.case_id IS NULL
        AND ($1::bigint[] IS NULL OR i.order_id = ANY ($1))
        AND NOT EXISTS (SELECT FROM after_sales c WHERE c.order_id = i.order_id AND c.parcel_id = s.id)
    UNION ALL
    SELECT w.order_id, min(s.id), NULL, 'failed', false
    FROM waiting w JOIN shipment_items i ON i.order_id = w.order_id AND i.given_up JOIN shipments s ON s.id = i.shipment_id
    WHERE w.state IN ('requested', 'reopened', 'awaiting_return', 'return_in_transit') AND NOT EXISTS (
        SELECT FROM after_sale_lines l JOIN order_items p ON p.order_id = w.order_id AND p.line_no = l.line_no
        WHERE l.case_id = w.id AND p.refunded_qty < p.qty)
    GROUP BY w.order_id
)
SELECT DISTINCT f.order_id, o.order_no, o.state AS order_state, f.id AS shipment_id, f.case_id, s.carrier, s.tracking_no, f.outcome, f.alone, n.at AS since,
    (SELECT array_agg(i.line_no ORDER BY i.line_no) FROM shipment_items i
        WHERE i.shipment_id = f.id AND i.order_id = f.order_id AND NOT i.withdrawn) AS line_nos,
    (SELECT array_agg(i.qty ORDER BY i.line_no) FROM shipment_items i
        WHERE i.shipment_id = f.id AND i.order_id = f.order_id AND NOT i.withdrawn) AS qtys
FROM found f JOIN shipments s ON s.id = f.id JOIN orders o ON o.id = f.order_id
    JOIN LATERAL (SELECT greatest(s.booked_at, max(p.recorded_at)) AS at FROM shipment_facts p WHERE p.shipment_id = f.id OFFSET 0) AS n ON true
WHERE n.at <= now() - make_interval(secs => $2::float8)
ORDER BY f.order_id, f.id, f.outcome;

-- name: case_repairs.timers
-- Cases that wait for a person, a carrier or a warehouse without a timer, and since when. $1 order ids (null: all). Locks: none.
SELECT c.order_id, o.order_no, o.state AS order_state, c.id AS case_id, c.state,
    greatest((SELECT max(at) FROM after_sale_steps WHERE case_id = c.id),
        (SELECT max(requested_at) FROM after_sale_send_backs WHERE case_id = c.id AND sent_at IS NULL)) AS since
FROM after_sales c JOIN orders o ON o.id = c.order_id
WHERE (c.state IN ('requested', 'reopened', 'awaiting_return', 'return_in_transit', 'received', 'inspecting', 'inspect_failed', 'refund_failed')
        OR c.id = ANY (ARRAY(SELECT case_id FROM after_sale_send_backs WHERE sent_at IS NULL)))
    AND ($1::bigint[] IS NULL OR c.order_id = ANY ($1))
    AND NOT EXISTS (SELECT FROM timers t WHERE t.kind = 'after_sale' AND t.key = c.id)
ORDER BY c.order_id, c.id;

-- name: case_repairs.dispute_timers
-- Disputes of which people are to be reminded without a timer, under the order that the capture paid. $1 order ids (null: all). Locks: none.
SELECT f.order_id, o.order_no, o.state AS order_state, d.id AS dispute_id, d.remind_at
FROM payment_disputes d JOIN payment_facts f ON f.provider = d.provider AND f.trade_no = d.trade_no AND f.kind = 'captured'
    JOIN orders o ON o.id = f.order_id
WHERE d.remind_at IS NOT NULL AND ($1::bigint[] IS NULL OR f.order_id = ANY ($1))
    AND NOT EXISTS (SELECT FROM timers t WHERE t.kind = 'dispute' AND t.key = d.id)
ORDER BY f.order_id, d.id;
