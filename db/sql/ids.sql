-- name: ids.take
-- $1 how many. The database's time in ms and one sequence number per id. Locks: none.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at_ms, nextval('id_sequence') AS sequence
FROM generate_series(1, $1::integer);

-- name: ids.take_with_numbers
-- $1 how many ids, $2 how many order numbers, $3 the shop's time zone. The same for ids; the business day and a sequence number for each
-- order number. A number that a transaction took and did not commit is left out for ever. Locks: none.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at_ms, CASE WHEN n <= $1::integer THEN nextval('id_sequence') END AS sequence,
    to_char(clock_timestamp() AT TIME ZONE $3::text, 'YYYYMMDD') AS day, CASE WHEN n <= $2::integer THEN nextval('order_no_sequence') END AS number
FROM generate_series(1, greatest($1::integer, $2::integer)) AS n;

-- name: ids.issue_order_numbers
-- $1 order numbers, $2 the users that they belong to.
INSERT INTO issued_order_numbers (order_no, user_id) SELECT * FROM unnest($1::text[], $2::text[]);

-- name: ids.lock_issued_numbers
-- $1 order numbers. Locks: them, in order. Numbers that were not issued are missing.
SELECT order_no, user_id, order_id FROM issued_order_numbers WHERE order_no = ANY($1::text[]) ORDER BY order_no FOR UPDATE;

-- name: ids.use_issued_numbers
-- $1 order numbers (locked), $2 the orders that have them now.
UPDATE issued_order_numbers i
SET order_id = n.order_id
FROM unnest($1::text[], $2::bigint[]) AS n (order_no, order_id)
WHERE i.order_no = ANY (ARRAY[n.order_no]);

-- name: ids.free_issued_numbers
-- $1 rejected orders (locked). The issued numbers that they named can be used again.
UPDATE issued_order_numbers SET order_id = NULL WHERE order_id = ANY($1::bigint[]);
