-- The invariants of groups of buyers (S1-50). Each statement returns the number of violations and the first five. Locks: none.

-- name: audit_groups.seats
-- No group has more orders than seats, or two of one user. Cancelled and rejected orders have no seat.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT g.group_id || ' ' || count(*) || ' of ' || g.size AS id
    FROM buying_groups g JOIN buying_group_orders m ON m.group_key = g.id JOIN orders o ON o.id = m.order_id
    WHERE o.state NOT IN ('cancelled', 'rejected')
    GROUP BY g.id, g.group_id, g.size
    HAVING count(*) > g.size OR count(DISTINCT o.user_id) < count(*)
) AS bad;

-- name: audit_groups.failed
-- $1 seconds of grace, because a message to the order may be under way. No order of a group that failed is left.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT g.group_id || ' ' || o.id || ' ' || o.state AS id
    FROM buying_groups g JOIN buying_group_orders m ON m.group_key = g.id JOIN orders o ON o.id = m.order_id
    WHERE g.state = 'failed' AND o.state NOT IN ('cancelled', 'rejected')
        AND greatest(g.ended_at, o.updated_at) < now() - make_interval(secs => $1::float8)
) AS bad;

-- name: audit_groups.formed
-- $1 seconds of grace, as above. A group that formed holds no order.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT g.group_id || ' ' || m.order_id AS id
    FROM buying_groups g JOIN buying_group_orders m ON m.group_key = g.id
    JOIN order_holds h ON h.order_id = m.order_id AND h.kind = 'group' AND h.released_at IS NULL
    WHERE g.state = 'formed' AND greatest(g.ended_at, h.placed_at) < now() - make_interval(secs => $1::float8)
) AS bad;

-- name: audit_groups.open
-- $1 seconds of grace: a full group waits at its deadline for payments that are not handled yet. An open group has its timer and ends at
-- its deadline, and it holds each of its orders that is paid.
SELECT count(*) AS violations, (array_agg(id ORDER BY id))[1:5] AS first
FROM (
    SELECT g.group_id || ' ' || g.deadline AS id
    FROM buying_groups g LEFT JOIN timers t ON t.kind = 'group' AND t.key = g.id
    WHERE g.state = 'open'
        AND (t.due_at IS DISTINCT FROM g.deadline OR g.deadline < now() - make_interval(secs => $1::float8))
    UNION ALL
    SELECT g.group_id || ' ' || o.id || ' ' || o.state
    FROM buying_groups g JOIN buying_group_orders m ON m.group_key = g.id JOIN orders o ON o.id = m.order_id
    LEFT JOIN order_holds h ON h.order_id = o.id AND h.kind = 'group' AND h.released_at IS NULL
    WHERE g.state = 'open' AND h.id IS NULL AND o.state NOT IN ('placing', 'awaiting_payment', 'cancelled', 'rejected')
) AS bad;
