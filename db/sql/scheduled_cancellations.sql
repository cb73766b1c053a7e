-- name: scheduled_cancellations.read
-- $1 order ids (locked). Their scheduled cancellations; orders without one are missing.
SELECT order_id, at, actor_type, actor_id, unpaid, reason_code, scheduled_at FROM scheduled_cancellations WHERE order_id = ANY($1::bigint[]);

-- name: scheduled_cancellations.save
-- $1 order ids (locked), $2 at which times, $3 and $4 who scheduled them, $5 whether each order was unpaid, $6 reason codes, $7 when they
-- were scheduled. An order has one: it is replaced.
INSERT INTO scheduled_cancellations (order_id, at, actor_type, actor_id, unpaid, reason_code, scheduled_at)
SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::timestamptz[])
ON CONFLICT (order_id) DO UPDATE SET at = excluded.at, actor_type = excluded.actor_type, actor_id = excluded.actor_id,
    unpaid = excluded.unpaid, reason_code = excluded.reason_code, scheduled_at = excluded.scheduled_at;

-- name: scheduled_cancellations.end
-- $1 order ids (locked). Their scheduled cancellations are over.
DELETE FROM scheduled_cancellations WHERE order_id = ANY($1::bigint[]);
