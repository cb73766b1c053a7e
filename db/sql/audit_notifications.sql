-- name: audit_notifications.causes
-- INV-24. Each notification to a buyer is about what did happen: a step of the order, a step of a case, or a refund that succeeded, of an
-- order of the same user.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT n.order_id || ' ' || n.kind AS id
    FROM buyer_notifications n LEFT JOIN orders o ON o.id = n.order_id
    WHERE NOT EXISTS (SELECT FROM archived_orders x WHERE x.order_id = n.order_id) AND (o.user_id IS DISTINCT FROM n.user_id OR NOT CASE n.content ? 'refund_no'
        WHEN true THEN EXISTS (
            SELECT FROM refunds r
            WHERE r.refund_no = n.content ->> 'refund_no' AND r.order_id = n.order_id AND r.state IN ('succeeded', 'excess', 'returned'))
        ELSE CASE n.content ? 'case_id'
            WHEN true THEN EXISTS (
                SELECT FROM after_sale_steps s JOIN after_sales c ON c.id = s.case_id
                WHERE s.case_id = (n.content ->> 'case_id')::bigint AND s.version = (n.content ->> 'version')::integer
                    AND s.cur_state = n.content ->> 'state' AND c.order_id = n.order_id)
            ELSE EXISTS (
                SELECT FROM operate_logs l
                WHERE l.order_id = n.order_id AND l.version = (n.content ->> 'version')::integer AND l.cur_state = n.content ->> 'state')
            END END)
) AS bad;

-- name: audit_notifications.once
-- INV-24. A buyer is notified once by each medium of the same step or refund, also if its event was announced under two message ids.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || ' ' || kind || ' by ' || medium AS id
    FROM buyer_notifications
    GROUP BY order_id, kind, medium, user_id, content ->> 'refund_no', content ->> 'case_id', content ->> 'version'
    HAVING count(*) > 1
) AS bad;

-- name: audit_notifications.waiting
-- INV-24. $1 seconds of grace. Workers look at a notification that waits as soon as its quiet hours end, or when it expires; none is left.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || ' ' || kind || ' by ' || medium AS id
    FROM buyer_notifications
    WHERE state = 'pending' AND (wake_at < now() - make_interval(secs => $1::float8) OR wake_at > expires_at)
) AS bad;

-- name: audit_notifications.sent
-- INV-24, when drained. Notifications wait for nothing but the end of quiet hours, and what was sent was tried.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT order_id || ' ' || kind || ' by ' || medium || ', ' || state AS id
    FROM buyer_notifications
    WHERE (state = 'pending' AND wake_at = expires_at) OR (state = 'sent' AND attempts = 0)
) AS bad;
