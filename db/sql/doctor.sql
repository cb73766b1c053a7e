-- What `oms doctor` reads beside outbox.backlog, timers.backlog, dead_letters.open_counts and order_partitions.last.

-- name: doctor.server
-- Locks: none. The server's clock, whether it is a standby that takes no writes, and how many locks all its transactions can hold together.
SELECT clock_timestamp() AS now, pg_is_in_recovery() AS standby,
    current_setting('max_locks_per_transaction')::bigint * current_setting('max_connections')::bigint AS lock_slots;

-- name: doctor.privileges
-- Locks: none. What the user of the session may not do, though a worker does it, by table.
SELECT c.relname AS table_name, array_agg(lower(p.privilege)) AS lacking
FROM pg_class c CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p (privilege)
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'
    AND NOT has_table_privilege(c.oid, p.privilege)
GROUP BY c.relname ORDER BY c.relname;

-- name: doctor.timers
-- $1 kinds or NULL, $2 seconds, $3 how many. The timers that are woken within this time, the next first, each with the order of what waits.
-- Locks: none. Each order is looked up by itself, because a join may read whole tables. A dispute may be about no order.
WITH soon AS MATERIALIZED (
    SELECT kind, key, due_at, wake_at, wakes FROM timers
    WHERE wake_at <= now() + make_interval(secs => $2::float8) AND ($1::text[] IS NULL OR kind = ANY ($1::text[]))
    ORDER BY wake_at LIMIT $3
)
SELECT kind, key,
    CASE kind
        WHEN 'attempt' THEN (SELECT order_id FROM payment_attempts WHERE id = key)
        WHEN 'authorization' THEN (SELECT order_id FROM payment_attempts WHERE id = key)
        WHEN 'refund' THEN (SELECT order_id FROM refunds WHERE id = key)
        WHEN 'waybill' THEN (SELECT order_id FROM waybills WHERE id = key)
        WHEN 'after_sale' THEN (SELECT order_id FROM after_sales WHERE id = key)
        WHEN 'dispute' THEN NULL
        ELSE key
    END AS order_id,
    due_at, wakes, wake_at AS next_wake
FROM soon
ORDER BY wake_at;
