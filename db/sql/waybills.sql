-- name: waybills.read
-- $1 ids. Waybills with the parcel of each, if there is one. Locks: none.
SELECT w.id, w.order_id, w.scope, w.request_id, w.carrier, w.state, w.plan::text AS plan, w.tracking_no, w.bookings, w.stopped,
    coalesce(s.ended, false) AS parcel_ended
FROM waybills w LEFT JOIN shipments s ON s.id = ANY (ARRAY[w.id])
WHERE w.id = ANY ($1::bigint[]);

-- name: waybills.request
-- $1 ids, $2 order ids (locked), $3 scopes and $4 request ids of their commands, $5 carriers, $6 plans as JSON. All orders
-- of the plans are locked.
INSERT INTO waybills (id, order_id, scope, request_id, carrier, state, plan)
SELECT n.id, n.order_id, n.scope, n.request_id, n.carrier, 'requested', n.plan::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[]) AS n (id, order_id, scope, request_id, carrier, plan);

-- name: waybills.stop
-- $1 order ids (locked), $2 warehouses. The waybills that carriers have not answered, of goods that these warehouses do not ship now.
-- One that names no warehouse has goods of several.
UPDATE waybills w SET stopped = true
FROM unnest($1::bigint[], $2::text[]) AS n (order_id, warehouse)
WHERE w.state = 'requested' AND NOT w.stopped AND w.order_ids @> ARRAY[n.order_id]
    AND coalesce(w.plan ->> 'warehouse', n.warehouse) = n.warehouse;

-- name: waybills.answer
-- $1 ids (their orders are locked), $2 states, $3 tracking numbers, $4 ship times, $5 refusals, $6 bookings; $7 the time. What the
-- carriers answered. A booking that is answered after the waybill was refused, unused or cancelled makes it unused, so that it is
-- cancelled (again).
UPDATE waybills w
SET state = n.state, tracking_no = coalesce(w.tracking_no, n.tracking_no), ship_time = n.ship_time, refusal = n.refusal,
    bookings = n.bookings, answered_at = $7::timestamptz
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::integer[])
    AS n (id, state, tracking_no, ship_time, refusal, bookings)
WHERE w.id = ANY (ARRAY[n.id]) AND (w.state = 'requested' OR (n.state = 'unused' AND w.state IN ('refused', 'unused', 'cancelled')));

-- name: waybills.close
-- $1 ids, $2 states, $3 the bookings that were known when the carrier was called. What became of waybills that no parcel has. One
-- that the carrier booked again meanwhile stays unused. Returns the ids of the others.
UPDATE waybills w SET state = n.state
FROM unnest($1::bigint[], $2::text[], $3::integer[]) AS n (id, state, bookings)
WHERE w.id = ANY (ARRAY[n.id]) AND w.state = 'unused' AND w.bookings <= n.bookings
RETURNING w.id;

-- name: waybills.follow
-- $1 carriers that are polled, $2 how many. Starts the timers of booked waybills that have none, as those do that were booked while their
-- carrier was not polled. The parcels that have not ended are found by their carrier. Locks: none. Returns the ids.
INSERT INTO timers (kind, key, due_at, wake_at)
SELECT 'waybill', w.id, clock_timestamp(), clock_timestamp()
FROM shipments s JOIN waybills w ON w.id = s.id AND w.state = 'booked'
WHERE s.carrier = ANY ($1::text[]) AND NOT s.ended AND NOT EXISTS (SELECT FROM timers t WHERE t.kind = 'waybill' AND t.key = s.id)
LIMIT $2
ON CONFLICT (kind, key) DO NOTHING
RETURNING key;
