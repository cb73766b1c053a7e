-- What `oms top` reads beside outbox.backlog, outbox.relays, timers.backlog, dead_letters.open_counts and consumer_pauses.list.

-- name: top.orders
-- Locks: none. How many orders came into each state within the last minute, of the states that operate_logs_day has; `placed` are the new ones.
SELECT cur_state AS state, count(*) AS orders
FROM operate_logs
WHERE at > now() - interval '1 min' AND pre_state <> cur_state
    AND (cur_state IN ('awaiting_payment', 'paid', 'cancelled', 'rejected', 'delivered', 'delivery_failed')
        OR (pre_state = 'shipped' AND cur_state = 'completed'))
GROUP BY cur_state
UNION ALL
SELECT 'placed', count(*) FROM orders WHERE id >= first_order_id(now() - interval '1 min') AND kind <> 'split_child';
