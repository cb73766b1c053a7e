-- name: ids.take
-- $1 how many. The database clock in ms and one sequence number per id.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at_ms, nextval('id_sequence') AS sequence
FROM generate_series(1, $1::integer);

-- name: ids.take_order_numbers
-- $1 time zone, $2 how many. Returns the business day and the last number taken; the row stays locked until commit.
INSERT INTO order_no_counters AS c (day, last)
VALUES ((clock_timestamp() AT TIME ZONE $1::text)::date, $2::bigint)
ON CONFLICT (day) DO UPDATE SET last = c.last + excluded.last
RETURNING to_char(day, 'YYYYMMDD') AS day, last;
