-- Reads for the explanation of orders, and for orders at an earlier time. No statement here locks anything.

-- name: explanations.timers
-- $1 order ids. Their timers, but for those of their attempts and refunds.
SELECT key AS order_id, kind, due_at FROM timers
WHERE kind = ANY('{saga,payment,receipt,shortage,cancelling}') AND key = ANY($1::bigint[]);

-- name: explanations.cancelled_timers
-- $1 kinds and keys of timers, as interventions name them, $2 since when. The newest record that a person cancelled each.
SELECT DISTINCT ON (subject) subject, at AS cancelled_at, coalesce(note, actor) AS cancelled_by FROM interventions
WHERE at >= $2::timestamptz AND action = 'timer.cancel' AND subject = ANY($1::text[]) ORDER BY subject, at DESC;

-- name: explanations.ended_polls
-- $1 order ids. Their open attempts, refunds and waybills (`ref` is the number by which each is known) whose timer a person has ended: it
-- does not run, so that nobody polls. And when that was, and by whom.
WITH polled AS (
    SELECT a.order_id, 'attempt' AS kind, a.id AS key, a.id::text AS ref
    FROM payment_attempts a WHERE a.order_id = ANY($1::bigint[]) AND a.state IN ('created', 'requested', 'unknown', 'closing')
    UNION ALL
    SELECT r.order_id, 'refund', r.id, r.refund_no
    FROM refunds r WHERE r.order_id = ANY($1::bigint[]) AND r.state IN ('requested', 'submitted', 'unknown')
    UNION ALL
    SELECT n.order_id, 'waybill', w.id, coalesce(s.tracking_no, w.id::text)
    FROM waybills w CROSS JOIN LATERAL unnest(w.order_ids) AS n (order_id)
        LEFT JOIN LATERAL (SELECT tracking_no FROM shipments WHERE id = w.id AND w.state = 'booked' AND NOT ended OFFSET 0) AS s ON true
    WHERE w.order_ids && $1::bigint[] AND n.order_id = ANY($1::bigint[]) AND (w.state IN ('requested', 'unused') OR s.tracking_no IS NOT NULL)
)
SELECT p.order_id, p.kind, p.key, p.ref, i.cancelled_at, i.cancelled_by
FROM polled p CROSS JOIN LATERAL (
    SELECT at AS cancelled_at, coalesce(note, actor) AS cancelled_by FROM interventions
    WHERE action = 'timer.cancel' AND subject = p.kind || ' ' || p.key ORDER BY at DESC LIMIT 1
) AS i
WHERE NOT EXISTS (SELECT FROM timers t WHERE t.kind = p.kind AND t.key = p.key OFFSET 0);

-- name: explanations.cancellations
-- $1 order ids. Their scheduled cancellations.
SELECT order_id, at, actor_type, unpaid, scheduled_at FROM scheduled_cancellations WHERE order_id = ANY($1::bigint[]);

-- name: explanations.captchas
-- $1 order ids. The captchas that the risk check wants of them.
SELECT order_id, required_at, until, answers, answered_at FROM captcha_challenges WHERE order_id = ANY($1::bigint[]);

-- name: explanations.case_timers
-- $1 order ids. The timers of their after-sale cases.
SELECT c.order_id, t.key AS case_id, t.due_at
FROM after_sales c JOIN timers t ON t.kind = 'after_sale' AND t.key = c.id
WHERE c.order_id = ANY($1::bigint[]);

-- name: explanations.send_backs
-- $1 order ids. The goods of their cases that warehouses have to send back to the buyer, with the states and the timers of the cases.
SELECT DISTINCT c.order_id, c.case_no, c.state, b.warehouse, b.requested_at, t.due_at
FROM after_sales c JOIN after_sale_send_backs b ON b.case_id = c.id LEFT JOIN timers t ON t.kind = 'after_sale' AND t.key = c.id
WHERE c.order_id = ANY($1::bigint[]) AND b.sent_at IS NULL
ORDER BY c.order_id, c.case_no, b.warehouse;

-- name: explanations.holds
-- $1 order ids. Their holds, also those that were released, the oldest first.
SELECT order_id, id, kind, reason_code, held_since, placed_at, released_at FROM order_holds WHERE order_id = ANY($1::bigint[]) ORDER BY order_id, id;

-- name: explanations.hand_overs
-- $1 order ids. Their hand-overs, since when each is in its state, and when its warehouse accepted the newest request.
SELECT f.order_id, f.warehouse, f.state, f.cancel_no, f.requested_at, f.updated_at,
    (SELECT min(s.at) FROM fulfilment_steps s WHERE s.order_id = f.order_id AND s.warehouse = f.warehouse AND s.number = f.number
        AND s.cur_state IN ('accepted', 'picking', 'packed')) AS accepted_at
FROM fulfilments f
WHERE f.order_id = ANY($1::bigint[]) ORDER BY f.order_id, f.warehouse;

-- name: explanations.waybills
-- $1 order ids. The parcels that carriers have not booked or cancelled yet, the oldest first.
SELECT n.order_id, w.id, w.carrier, w.state, w.requested_at
FROM waybills w CROSS JOIN LATERAL unnest(w.order_ids) AS n (order_id)
WHERE w.order_ids && $1::bigint[] AND n.order_id = ANY($1::bigint[]) AND w.state IN ('requested', 'unused') ORDER BY n.order_id, w.id;

-- name: explanations.dead_letters
-- $1 order ids. Dead letters that name the order, one of its children or a payment of them, and the newest 50 of the conversation that placed it: its
-- client may give all its messages the same correlation id.
WITH named AS (
    SELECT o.id AS order_id, o.id, o.conversation_id FROM orders o WHERE o.id = ANY($1::bigint[])
    UNION ALL
    SELECT c.root_id, c.id, c.conversation_id FROM orders c WHERE c.root_id = ANY($1::bigint[]) AND c.root_id <> c.id
), found AS (
    SELECT n.order_id, d.id FROM named n JOIN dead_letters d ON d.about && letter_names(ARRAY[n.id])
    UNION
    SELECT n.order_id, d.id
    FROM named n CROSS JOIN LATERAL (
        SELECT l.id FROM dead_letters l WHERE l.correlation_id = n.conversation_id ORDER BY l.id DESC LIMIT 50
    ) AS d
)
SELECT f.order_id, d.id, d.queue, d.type, d.reason, d.state, d.died_at
FROM found f JOIN dead_letters d ON d.id = f.id
ORDER BY f.order_id, d.died_at, d.id;

-- name: explanations.parcel_facts
-- $1 order ids. What carriers reported of their parcels, and when it became known.
SELECT DISTINCT i.order_id, s.id AS shipment_id, f.event_id, f.status, f.occurred_at, f.recorded_at
FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id LEFT JOIN shipment_facts f ON f.shipment_id = s.id
WHERE i.order_id = ANY($1::bigint[]) AND s.id = ANY(ARRAY(SELECT m.shipment_id FROM shipment_items m WHERE m.order_id = ANY($1::bigint[])))
ORDER BY i.order_id, s.id;
