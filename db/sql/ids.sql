-- name: ids.take
-- $1 how many. The database's time in ms and one sequence number per id. Locks: none.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at_ms, nextval('id_sequence') AS sequence
FROM generate_series(1, $1::integer);

-- name: ids.take_order_numbers
-- $1 time zone, $2 how many. Returns the business day and the last number taken. Locks: the day's counter.
INSERT INTO order_no_counters AS c (day, last)
VALUES ((clock_timestamp() AT TIME ZONE $1::text)::date, $2::bigint)
ON CONFLICT (day) DO UPDATE SET last = c.last + excluded.last
RETURNING to_char(day, 'YYYYMMDD') AS day, last;

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
WHERE i.order_no = n.order_no;

-- name: ids.free_issued_numbers
-- $1 rejected orders (locked). The issued numbers that they named can be used again.
UPDATE issued_order_numbers SET order_id = NULL WHERE order_id = ANY($1::bigint[]);
