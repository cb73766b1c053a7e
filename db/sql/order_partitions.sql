-- name: order_partitions.make
-- $1 months ahead. Makes the partitions that are missing until then, and returns how many. Locks: an advisory lock, which another process
-- may hold; then nothing is made and null is returned. Who writes a table of which a partition is attached waits until the transaction ends.
SELECT CASE WHEN pg_try_advisory_xact_lock(6021024) THEN make_order_partitions(make_interval(months => $1::integer)) END AS made;

-- name: order_partitions.last
-- When the ids begin for which no partition of orders exists yet. Locks: none.
SELECT to_timestamp(((max(before) >> 22) + 1704067200000) / 1000.0) AS at FROM order_months WHERE table_name = 'orders';

-- name: order_partitions.oldest
-- The least time for which orders have a partition, in ms since 1970; that of 2024, when ids begin, unless older months were dropped.
-- Locks: none.
SELECT (coalesce(min(coalesce(since, 0)), 0) >> 22) + 1704067200000 AS at_ms FROM order_months WHERE table_name = 'orders';

-- name: order_partitions.list
-- The partitions by time, with the rows of orders as the planner estimates them (-1: not known yet) and the bytes of all tables. The first
-- begins with the first order. Locks: none.
SELECT max(name) FILTER (WHERE table_name = 'orders') AS partition,
    to_timestamp(((since >> 22) + 1704067200000) / 1000.0) AS since, to_timestamp(((before >> 22) + 1704067200000) / 1000.0) AS before,
    max(reltuples) FILTER (WHERE table_name = 'orders')::bigint AS orders, sum(pg_total_relation_size(oid))::bigint AS bytes, count(*) AS tables
FROM order_months
GROUP BY since, before
ORDER BY before;
