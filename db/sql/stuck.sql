-- Finds what waits longer than the limit of its kind. workers/views/awaits.py has the kinds; workers/views/explanation.py says of an order
-- what it waits for, and tests/handlers/test_stuck_waits.py that both find the same. Only stuck.take_turn locks, and only stuck.save_raised
-- writes.

-- name: stuck.find
-- One element of each array for each kind of a page: $1 pages, $2 kinds, $3 their limits in seconds, $4 up to when what was counted from a
-- time is known already (null: nothing is). One element for each page: $5 pages, $6 the time and $7 the key of the last row of the page
-- before, $8 how many rows. Returns for each kind with a row how many there are, how many of them are not known, and since when the oldest waits,
-- beside the rows of the page, the oldest first. Of more than 10,000 of a kind it finds 10,000. It looks only at rows that are old enough
-- by an index: created, requested, booked or due before. What a timer ends counts from that time, all else from when the wait began;
-- a receipt whose timer a person has ended counts from then.
WITH wanted AS MATERIALIZED (
    SELECT w.place, w.kind, now() - make_interval(secs => w.seconds) AS before, w.seen
    FROM unnest($1::integer[], $2::text[], $3::float8[], $4::timestamptz[]) AS w (place, kind, seconds, seen)
), ended AS MATERIALIZED ( -- by hand: `oms timers cancel` names the kind and the key of each; it is few rows
    SELECT split_part(i.subject, ' ', 1) AS kind, split_part(i.subject, ' ', 2)::bigint AS key, max(i.at) AS at
    FROM interventions i WHERE i.action = 'timer.cancel' GROUP BY i.subject
), due AS MATERIALIZED ( -- a timer that is due is woken again within an hour
    SELECT kind, key, due_at FROM timers WHERE wake_at <= now() + interval '1 h' AND due_at <= now()
    UNION ALL
    SELECT e.kind, e.key, e.at FROM ended e WHERE NOT EXISTS (SELECT FROM timers t WHERE t.kind = e.kind AND t.key = e.key OFFSET 0)
), found AS MATERIALIZED (
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT o.id AS order_id, '' AS which, l.at AS since, coalesce(t.due_at, l.at) AS counted_from
        FROM orders o
        CROSS JOIN LATERAL (
            SELECT at FROM operate_logs WHERE order_id = o.id AND pre_state <> cur_state ORDER BY version DESC LIMIT 1
        ) AS l
        LEFT JOIN LATERAL (SELECT due_at FROM timers WHERE kind = 'saga' AND key = o.id OFFSET 0) AS t ON true
        WHERE o.state IN ('placing', 'reinstating') AND o.created_at <= w.before AND o.parent_id IS NULL
            AND coalesce(t.due_at, l.at) <= w.before
            AND NOT EXISTS (SELECT FROM exchange_orders e WHERE e.order_id = o.id AND e.state = 'reserved' AND o.state = 'placing' OFFSET 0)
            AND NOT EXISTS (SELECT FROM captcha_challenges c WHERE c.order_id = o.id AND c.answered_at IS NULL OFFSET 0)
        ORDER BY o.created_at LIMIT 10000
    ) AS f
    WHERE w.kind = 'reservation'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT c.order_id, '', c.required_at, c.until
        FROM captcha_challenges c
        CROSS JOIN LATERAL (SELECT state FROM orders WHERE id = c.order_id OFFSET 0) AS o
        WHERE c.answered_at IS NULL AND c.until <= w.before AND o.state = 'placing'
        ORDER BY c.until LIMIT 10000
    ) AS f
    WHERE w.kind = 'captcha'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT o.id, '', l.at, coalesce(t.due_at, o.expire_at)
        FROM orders o
        CROSS JOIN LATERAL (
            SELECT at FROM operate_logs WHERE order_id = o.id AND pre_state <> cur_state ORDER BY version DESC LIMIT 1
        ) AS l
        LEFT JOIN LATERAL (SELECT due_at FROM timers WHERE kind = 'payment' AND key = o.id OFFSET 0) AS t ON true
        WHERE o.state = 'awaiting_payment' AND o.created_at <= w.before AND o.parent_id IS NULL
            AND coalesce(t.due_at, o.expire_at) <= w.before
        ORDER BY o.created_at LIMIT 10000
    ) AS f
    WHERE w.kind = 'payment'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT a.order_id, a.provider || ' ' || a.id, a.started_at, a.expire_at
        FROM due d CROSS JOIN LATERAL (SELECT * FROM payment_attempts WHERE id = d.key OFFSET 0) AS a
        WHERE d.kind = 'attempt' AND a.state IN ('created', 'requested', 'unknown', 'closing') AND a.expire_at <= w.before
        ORDER BY a.expire_at LIMIT 10000
    ) AS f
    WHERE w.kind = 'payment_result'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT o.id, '', l.at, d.due_at
        FROM due d
        CROSS JOIN LATERAL (SELECT id, state, held FROM orders WHERE id = d.key OFFSET 0) AS o
        CROSS JOIN LATERAL (
            SELECT at FROM operate_logs WHERE order_id = o.id AND pre_state <> cur_state ORDER BY version DESC LIMIT 1
        ) AS l
        WHERE d.kind = 'receipt' AND d.due_at <= w.before AND o.state = 'delivered' AND NOT o.held
            AND NOT EXISTS (SELECT FROM after_sales c WHERE c.order_id = o.id AND c.completed_at IS NULL OFFSET 0)
        ORDER BY d.due_at LIMIT 10000
    ) AS f
    WHERE w.kind = 'receipt'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT c.order_id, '', c.scheduled_at, c.at
        FROM due d
        CROSS JOIN LATERAL (SELECT * FROM scheduled_cancellations WHERE order_id = d.key OFFSET 0) AS c
        CROSS JOIN LATERAL (SELECT state, paid_at FROM orders WHERE id = d.key OFFSET 0) AS o
        WHERE d.kind = 'cancellation' AND c.at <= w.before AND o.state IN ('awaiting_payment', 'reinstating', 'paid', 'fulfilling')
            AND NOT (c.unpaid AND o.paid_at IS NOT NULL)
        ORDER BY c.at LIMIT 10000
    ) AS f
    WHERE w.kind = 'cancellation_withdrawn'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT h.order_id, h.id::text, h.placed_at, coalesce(t.due_at, h.placed_at)
        FROM order_holds h
        CROSS JOIN LATERAL (SELECT id, state FROM orders WHERE id = h.order_id OFFSET 0) AS o
        LEFT JOIN LATERAL (SELECT due_at FROM timers WHERE kind = 'shortage' AND key = o.id AND h.kind = 'shortage' OFFSET 0) AS t ON true
        WHERE h.released_at IS NULL AND h.placed_at <= w.before AND coalesce(t.due_at, h.placed_at) <= w.before
            AND w.kind = CASE h.kind WHEN 'shortage' THEN 'decision' WHEN 'group' THEN '' ELSE 'release' END AND o.state NOT IN ('cancelled', 'completed', 'rejected')
        ORDER BY h.placed_at LIMIT 10000
    ) AS f
    WHERE w.kind IN ('release', 'decision')
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT h.order_id, b.group_id || ' ' || paid.orders || ' of ' || b.size, h.placed_at, greatest(h.placed_at, b.deadline)
        FROM due d
        CROSS JOIN LATERAL (
            SELECT id, group_id, size, deadline FROM buying_groups WHERE id = d.key AND state = 'open' AND deadline <= w.before OFFSET 0
        ) AS b
        CROSS JOIN LATERAL (
            SELECT count(*) AS orders
            FROM buying_group_orders n CROSS JOIN LATERAL (SELECT state FROM orders WHERE id = n.order_id OFFSET 0) AS p
            WHERE n.group_key = b.id AND p.state NOT IN ('placing', 'awaiting_payment', 'reinstating', 'cancelled', 'rejected')
            OFFSET 0
        ) AS paid
        CROSS JOIN LATERAL (SELECT order_id FROM buying_group_orders WHERE group_key = b.id OFFSET 0) AS m
        CROSS JOIN LATERAL (
            SELECT order_id, placed_at FROM order_holds
            WHERE order_id = m.order_id AND released_at IS NULL AND placed_at <= w.before AND kind = 'group' OFFSET 0
        ) AS h
        CROSS JOIN LATERAL (SELECT state FROM orders WHERE id = h.order_id OFFSET 0) AS o
        WHERE d.kind = 'group' AND o.state NOT IN ('cancelled', 'completed', 'rejected')
        ORDER BY b.deadline LIMIT 10000
    ) AS f
    WHERE w.kind = 'group'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT h.order_id, b.group_id || ' ' || b.state, greatest(h.placed_at, b.ended_at), greatest(h.placed_at, b.ended_at)
        FROM order_holds h
        CROSS JOIN LATERAL (SELECT group_key FROM buying_group_orders WHERE order_id = h.order_id OFFSET 0) AS m
        CROSS JOIN LATERAL (
            SELECT group_id, state, ended_at FROM buying_groups WHERE id = m.group_key AND ended_at <= w.before OFFSET 0
        ) AS b
        CROSS JOIN LATERAL (SELECT state FROM orders WHERE id = h.order_id OFFSET 0) AS o
        WHERE h.released_at IS NULL AND h.placed_at <= w.before AND h.kind = 'group' AND o.state NOT IN ('cancelled', 'completed', 'rejected')
        ORDER BY h.placed_at LIMIT 10000
    ) AS f
    WHERE w.kind = 'group_outcome'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT f.order_id, f.warehouse, f.updated_at, f.updated_at
        FROM fulfilments f
        CROSS JOIN LATERAL (SELECT state, held FROM orders WHERE id = f.order_id OFFSET 0) AS o
        WHERE CASE WHEN f.state IN ('requested', 'accepted', 'picking', 'packed') OR f.cancel_no IS NOT NULL THEN f.updated_at END <= w.before
            AND o.state IN ('paid', 'fulfilling', 'cancelling')
            AND w.kind = CASE
                WHEN f.cancel_no IS NOT NULL THEN 'cancel_answer'
                WHEN o.held AND o.state <> 'cancelling' AND f.state IN ('accepted', 'picking', 'packed') THEN ''
                WHEN f.state = 'requested' THEN 'acceptance'
                WHEN f.state IN ('accepted', 'picking', 'packed') THEN 'hand_over'
            END
        ORDER BY f.updated_at LIMIT 10000
    ) AS f
    WHERE w.kind IN ('acceptance', 'hand_over', 'cancel_answer')
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT o.id, f.warehouse, f.updated_at, f.updated_at
        FROM orders o CROSS JOIN LATERAL (SELECT * FROM fulfilments g WHERE g.order_id = o.id AND g.state = 'refused' OFFSET 0) AS f
        WHERE o.state IN ('paid', 'fulfilling', 'cancelling') AND o.created_at <= w.before AND f.updated_at <= w.before
            AND f.cancel_no IS NULL
        ORDER BY o.created_at LIMIT 10000
    ) AS f
    WHERE w.kind = 'other_warehouse'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT o.id, '', o.paid_at, o.paid_at
        FROM orders o
        WHERE o.state IN ('paid', 'fulfilling', 'cancelling') AND o.created_at <= w.before AND NOT o.held
            AND coalesce(o.paid_at, o.created_at) <= w.before -- by created_at: almost every order was paid before
            AND NOT EXISTS (SELECT FROM fulfilments f WHERE f.order_id = o.id AND f.state NOT IN ('handed_over', 'withdrawn') OFFSET 0)
            AND NOT EXISTS (SELECT FROM waybills b WHERE b.order_ids @> ARRAY[o.id] AND b.state = 'requested' OFFSET 0)
            AND EXISTS (
                SELECT FROM order_items i
                WHERE i.order_id = o.id AND i.qty - i.short_qty - i.cancelled_qty > (
                    SELECT coalesce(sum(m.qty), 0)
                    FROM shipment_items m CROSS JOIN LATERAL (SELECT state, case_id FROM shipments WHERE id = m.shipment_id OFFSET 0) AS s
                    WHERE m.order_id = o.id AND m.line_no = i.line_no AND NOT m.withdrawn AND s.state <> 'cancelled' AND s.case_id IS NULL)
                OFFSET 0)
        ORDER BY o.created_at LIMIT 10000
    ) AS f
    WHERE w.kind = 'parcel'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT i.order_id, s.carrier || ' ' || s.tracking_no, coalesce(s.outbound_at, s.booked_at), coalesce(s.outbound_at, s.booked_at)
        FROM shipments s
        CROSS JOIN LATERAL (
            SELECT m.order_id, bool_and(m.withdrawn) AS withdrawn FROM shipment_items m WHERE m.shipment_id = s.id GROUP BY m.order_id
        ) AS i
        CROSS JOIN LATERAL (SELECT state FROM orders WHERE id = i.order_id OFFSET 0) AS o
        WHERE CASE WHEN s.state NOT IN ('delivered', 'returned', 'loss_confirmed', 'cancelled') THEN s.booked_at END <= w.before
            AND coalesce(s.outbound_at, s.booked_at) <= w.before AND s.case_id IS NULL AND NOT i.withdrawn
            AND o.state NOT IN ('cancelled', 'completed', 'rejected', 'split', 'delivered')
            AND w.kind = CASE
                WHEN s.state IN ('refused', 'undeliverable', 'lost', 'returning') THEN 'return'
                WHEN s.state = 'booked' THEN 'pick_up'
                ELSE 'delivery'
            END
        ORDER BY s.booked_at LIMIT 10000
    ) AS f
    WHERE w.kind IN ('pick_up', 'delivery', 'return')
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT n.order_id, b.carrier || ' ' || b.id, b.requested_at, b.requested_at
        FROM waybills b CROSS JOIN LATERAL unnest(b.order_ids) AS n (order_id)
        WHERE CASE WHEN b.state IN ('requested', 'unused') THEN b.requested_at END <= w.before AND (b.state = 'unused') = (w.kind = 'booking_cancelled')
        ORDER BY b.requested_at LIMIT 10000
    ) AS f
    WHERE w.kind IN ('booking', 'booking_cancelled')
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT a.order_id, a.provider, n.since, n.since
        FROM payment_authorizations a
        CROSS JOIN LATERAL (SELECT id, parent_id, payable_amount FROM orders WHERE id = a.order_id OFFSET 0) AS o
        CROSS JOIN LATERAL (
            SELECT CASE WHEN a.state = 'capturing' THEN a.updated_at ELSE a.not_taken_at END AS since
        ) AS n
        WHERE CASE WHEN a.verdict = 'kept' AND (a.state = 'capturing' OR a.not_taken_at IS NOT NULL) THEN coalesce(a.not_taken_at, a.updated_at) END <= w.before
            AND n.since <= w.before AND (a.state = 'capturing') = (w.kind = 'capture') AND o.parent_id IS NULL
            AND (a.state = 'capturing' OR o.payable_amount > (
                SELECT coalesce(sum(r.amount), 0)
                FROM refunds r
                WHERE r.order_id = ANY(ARRAY(SELECT c.id FROM orders c WHERE c.root_id = o.id AND c.root_id <> c.id) || o.id)
                    AND r.state = 'released'))
        ORDER BY n.since LIMIT 10000
    ) AS f
    WHERE w.kind IN ('capture', 'capture_again')
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT r.order_id, r.provider || ' ' || r.refund_no, r.requested_at, r.requested_at
        FROM refunds r
        WHERE r.state IN ('requested', 'submitted', 'unknown') AND r.requested_at <= w.before
            AND (r.case_id IS NOT NULL) = (w.kind = 'case_refund')
        ORDER BY r.requested_at LIMIT 10000
    ) AS f
    WHERE w.kind IN ('refund', 'case_refund')
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT r.order_id, r.provider || ' ' || r.refund_no, coalesce(r.finished_at, r.requested_at), coalesce(r.finished_at, r.requested_at)
        FROM refunds r
        CROSS JOIN LATERAL (SELECT id, intent_id, payable_amount FROM orders WHERE id = r.order_id OFFSET 0) AS o
        WHERE CASE r.state WHEN 'failed' THEN coalesce(r.finished_at, r.requested_at) END <= w.before
            AND (r.case_id IS NOT NULL) = (w.kind = 'case_refund_again')
            AND NOT EXISTS (SELECT FROM refunds n WHERE n.replaces = r.refund_no OFFSET 0)
            AND r.amount <= ( -- what the order has left of its part of the capture
                SELECT coalesce(sum(CASE WHEN f.verdict = 'kept' THEN o.payable_amount - coalesce((
                        SELECT sum(m.amount)
                        FROM refunds m
                        WHERE m.order_id = ANY(ARRAY(SELECT c.id FROM orders c WHERE c.root_id = o.id AND c.root_id <> c.id) || o.id)
                            AND m.state = 'released'), 0)
                    ELSE f.amount END), 0)
                FROM payment_facts f
                WHERE f.provider = r.provider AND f.trade_no = r.trade_no AND f.kind = 'captured'
                    AND (f.order_id = o.id OR (f.intent_id = o.intent_id AND f.verdict = 'kept'))
            ) - (
                SELECT coalesce(sum(g.amount - g.excess_amount), 0)
                FROM refunds g
                WHERE g.order_id = r.order_id AND g.provider = r.provider AND g.trade_no = r.trade_no
                    AND g.state NOT IN ('failed', 'returned', 'released'))
        ORDER BY coalesce(r.finished_at, r.requested_at) LIMIT 10000
    ) AS f
    WHERE w.kind IN ('refund_again', 'case_refund_again')
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT c.order_id, n.which, n.since, n.counted_from
        FROM after_sales c
        CROSS JOIN LATERAL (
            SELECT at FROM after_sale_steps WHERE case_id = c.id AND pre_state <> cur_state ORDER BY version DESC LIMIT 1
        ) AS l
        LEFT JOIN LATERAL (SELECT due_at FROM timers WHERE kind = 'after_sale' AND key = c.id AND c.state = 'awaiting_return' OFFSET 0) AS t ON true
        LEFT JOIN LATERAL (
            SELECT o.state, e.state AS stage, o.created_at, o.expire_at, coalesce(o.order_no, o.id::text) AS ref
            FROM (SELECT * FROM exchange_orders WHERE case_id = c.id OFFSET 0) AS e
            CROSS JOIN LATERAL (SELECT * FROM orders WHERE id = e.order_id OFFSET 0) AS o
            WHERE c.state IN ('approved', 'inspect_passed', 'reshipping')
            ORDER BY e.order_id DESC LIMIT 1
        ) AS x ON true
        CROSS JOIN LATERAL (
            SELECT CASE
                    WHEN c.state IN ('requested', 'reopened') THEN 'case_review'
                    WHEN c.state = 'awaiting_return' THEN 'case_return'
                    WHEN c.state = 'return_in_transit' THEN 'case_arrival'
                    WHEN c.state IN ('received', 'inspecting') THEN 'case_inspection'
                    WHEN c.state = 'inspect_failed' THEN 'case_decision'
                    WHEN x.stage = 'reserving' THEN 'case_stock'
                    WHEN x.state = 'awaiting_payment' THEN 'case_payment'
                    WHEN c.state IN ('approved', 'inspect_passed', 'reshipping') THEN 'case_goods'
                END AS kind,
                CASE c.state WHEN 'return_in_transit' THEN concat_ws(' ', c.carrier, c.tracking_no) ELSE coalesce(x.ref, c.case_no) END AS which,
                CASE x.stage WHEN 'reserving' THEN x.created_at ELSE l.at END AS since,
                CASE WHEN x.stage = 'reserving' THEN x.created_at WHEN x.state = 'awaiting_payment' THEN x.expire_at
                    ELSE coalesce(t.due_at, l.at) END AS counted_from
        ) AS n
        WHERE c.completed_at IS NULL AND c.requested_at <= w.before AND n.kind = w.kind AND n.counted_from <= w.before
        ORDER BY c.requested_at LIMIT 10000
    ) AS f
    WHERE w.kind IN ('case_review', 'case_return', 'case_arrival', 'case_inspection', 'case_decision', 'case_stock', 'case_payment',
        'case_goods')
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT c.order_id, b.warehouse || ' ' || c.case_no, min(b.requested_at), min(b.requested_at)
        FROM after_sale_send_backs b CROSS JOIN LATERAL (SELECT order_id, case_no FROM after_sales WHERE id = b.case_id OFFSET 0) AS c
        WHERE CASE WHEN b.sent_at IS NULL THEN b.requested_at END <= w.before
        GROUP BY c.order_id, b.warehouse, c.case_no
        ORDER BY 3 LIMIT 10000
    ) AS f
    WHERE w.kind = 'case_send_back'
    UNION ALL
    SELECT w.*, f.*
    FROM wanted w CROSS JOIN LATERAL (
        SELECT f.order_id, d.provider || ' ' || d.dispute_no, n.since, n.since
        FROM payment_disputes d
        CROSS JOIN LATERAL (SELECT max(e.submitted_at) AS submitted_at FROM dispute_evidence e
            WHERE e.dispute_id = d.id AND e.state IN ('recorded', 'accepted')) AS e
        CROSS JOIN LATERAL (
            SELECT e.submitted_at IS NULL AND d.due_at IS NOT NULL AS unanswered, coalesce(e.submitted_at, d.occurred_at) AS since
        ) AS n
        CROSS JOIN LATERAL (
            SELECT order_id FROM payment_facts WHERE provider = d.provider AND trade_no = d.trade_no AND kind = 'captured' OFFSET 0
        ) AS f
        WHERE d.state = 'opened' AND d.occurred_at <= w.before AND n.since <= w.before AND n.unanswered = (w.kind = 'dispute_answer')
        ORDER BY d.occurred_at LIMIT 10000
    ) AS f
    WHERE w.kind IN ('dispute_answer', 'dispute_decision')
), keyed AS (
    SELECT f.*, hashtextextended(concat_ws(' ', f.kind, f.order_id, f.which), 0) & 9223372036854775807 AS key FROM found f
), counts AS (
    SELECT place, kind, count(*) AS total, count(*) FILTER (WHERE seen IS NULL OR counted_from > seen) AS fresh, min(since) AS oldest
    FROM found GROUP BY place, kind
), shown AS (
    SELECT r.*
    FROM unnest($5::integer[], $6::timestamptz[], $7::bigint[], $8::integer[]) AS p (place, last_at, last_key, size)
    CROSS JOIN LATERAL (
        SELECT k.* FROM keyed k WHERE k.place = p.place AND (k.since, k.key) > (p.last_at, p.last_key) ORDER BY k.since, k.key LIMIT p.size
    ) AS r
)
SELECT c.place, c.kind, c.total, c.fresh, c.oldest, s.order_id, s.which, s.since, s.key
FROM counts c LEFT JOIN shown s ON s.place = c.place AND s.kind = c.kind
ORDER BY c.place, s.since, s.key;

-- name: stuck.by_indexes
-- Until the transaction ends, the planner scans no whole table if an index serves: of the rows that wait it expects a third of a table.
SELECT set_config(name, 'off', true) FROM unnest(ARRAY['enable_seqscan', 'enable_hashjoin', 'enable_mergejoin']) AS s (name);

-- name: stuck.letters
-- $1 the limit in seconds, $2 up to when letters are known that came, and $3 that grew old. The dead letters that wait for a decision, by
-- queue: how many, and how many came after $2; how many are older than the limit, and how many became so after $3.
SELECT queue, count(*) AS open, count(*) FILTER (WHERE died_at > $2::timestamptz) AS fresh,
    count(*) FILTER (WHERE died_at <= b.before) AS old,
    count(*) FILTER (WHERE died_at <= b.before AND died_at > $3::timestamptz - make_interval(secs => $1::float8)) AS aged
FROM dead_letters CROSS JOIN (SELECT now() - make_interval(secs => $1::float8) AS before) AS b
WHERE state = 'open'
GROUP BY queue
ORDER BY queue;

-- name: stuck.take_turn
-- $1 seconds. The time of this transaction, if it alone raises alerts until it ends; null if another worker is at it or had the turn in
-- the last $1 seconds. Locks: an advisory one, for which it does not wait; then the row that says when the last turn was.
WITH turn AS (
    INSERT INTO progress AS p (queue, at)
    SELECT 'timeouts', now() WHERE pg_try_advisory_xact_lock(1970302570, 0)
    ON CONFLICT (queue) DO UPDATE SET at = excluded.at WHERE p.at <= excluded.at - make_interval(secs => $1::float8)
    RETURNING at
)
SELECT (SELECT at FROM turn) AS now;

-- name: stuck.raised
-- What was alerted of, when and how many there were. It is read after stuck.take_turn.
SELECT name, raised_at, count FROM standing_alerts;

-- name: stuck.save_raised
-- $1 names, $2 when raised, $3 how many there are. This transaction has the turn.
INSERT INTO standing_alerts (name, raised_at, count)
SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::bigint[])
ON CONFLICT (name) DO UPDATE SET raised_at = excluded.raised_at, count = excluded.count;
