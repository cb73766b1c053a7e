-- Statements of `oms audit --cells`, which compares the databases of several cells. Each reads a whole table, in the order of bytes, in which
-- the command merges the values of all cells. They take no locks.

-- name: audit_cells.shards_of_users
-- Each user with orders: the shard that the ids of the orders carry, how many there are, and the first. A user has two rows if they disagree.
SELECT user_id, (id >> 16 & 63)::integer AS shard, count(*) AS orders, (array_agg(id::text ORDER BY id))[1:1] AS first
FROM orders GROUP BY user_id, id >> 16 & 63;

-- name: audit_cells.counts
-- $1 the shards of a cell. Its orders, and those among them whose shard is another's.
SELECT count(*) AS orders, count(*) FILTER (WHERE (id >> 16 & 63)::integer <> ALL ($1::integer[])) AS misplaced FROM orders;

-- name: audit_cells.orders
-- Ids of orders.
SELECT lpad(id::text, 19, '0') AS value FROM orders ORDER BY id;

-- name: audit_cells.users
-- Users with orders.
SELECT DISTINCT user_id COLLATE "C" AS value FROM orders ORDER BY 1;

-- name: audit_cells.order_numbers
-- Order numbers, also those that were issued and wait for their order.
SELECT order_no COLLATE "C" AS value FROM orders WHERE order_no IS NOT NULL
UNION SELECT order_no COLLATE "C" FROM issued_order_numbers ORDER BY 1;

-- name: audit_cells.trades
-- What providers captured: the provider and its trade number.
SELECT DISTINCT (provider || ' ' || trade_no) COLLATE "C" AS value FROM payment_facts WHERE kind = 'captured' ORDER BY 1;

-- name: audit_cells.refunds
-- Numbers of refunds.
SELECT refund_no COLLATE "C" AS value FROM refunds ORDER BY 1;
