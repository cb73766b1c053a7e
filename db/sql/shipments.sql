-- name: shipments.of_orders
-- $1 order ids (locked). Their parcels with their units.
SELECT s.id, s.order_id, s.carrier, s.tracking_no, s.state, s.delayed, s.outbound_at, s.delivered_at, s.given_up,
    array_agg(i.line_no ORDER BY i.line_no) AS line_nos, array_agg(i.qty ORDER BY i.line_no) AS qtys
FROM shipments s
JOIN shipment_items i ON i.shipment_id = s.id
WHERE s.order_id = ANY($1::bigint[])
GROUP BY s.id
ORDER BY s.id;

-- name: shipments.owners
-- $1 carriers, $2 tracking numbers. The orders that own these parcels, whatever order a message names. Locks: none.
SELECT carrier, tracking_no, order_id
FROM shipments
JOIN unnest($1::text[], $2::text[]) AS k (carrier, tracking_no) USING (carrier, tracking_no);

-- name: shipments.insert
-- $1 ids, $2 order ids, $3 carriers, $4 tracking numbers, $5 warehouses, $6 states, $7 delayed, $8 and $9 times.
-- Inserts new parcels, in the state that the facts of the same batch give them.
INSERT INTO shipments (id, order_id, carrier, tracking_no, warehouse, state, delayed, outbound_at, delivered_at)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::boolean[],
    $8::timestamptz[], $9::timestamptz[]);

-- name: shipments.insert_items
-- $1 shipment ids, $2 order ids, $3 line numbers, $4 units.
INSERT INTO shipment_items (shipment_id, order_id, line_no, qty)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::integer[]);

-- name: shipments.save
-- $1 ids, $2 states, $3 delayed, $4 outbound and $5 delivered times. The orders are locked.
UPDATE shipments s
SET state = n.state, delayed = n.delayed, outbound_at = n.outbound_at, delivered_at = n.delivered_at
FROM unnest($1::bigint[], $2::text[], $3::boolean[], $4::timestamptz[], $5::timestamptz[])
    AS n (id, state, delayed, outbound_at, delivered_at)
WHERE s.id = n.id;

-- name: shipments.give_up
-- $1 ids (their orders are locked). Marks the parcels whose lines were given back.
UPDATE shipments SET given_up = true WHERE id = ANY($1::bigint[]);

-- name: shipments.cancel_booked
-- $1 order ids (locked, cancelled before anything left). Cancels their parcels.
UPDATE shipments SET state = 'cancelled' WHERE order_id = ANY($1::bigint[]) AND state = 'booked';

-- name: shipments.facts
-- $1 shipment ids (their orders are locked). All facts about these parcels. Without the locks a fact could be missed.
SELECT shipment_id, event_id, status, occurred_at FROM shipment_facts WHERE shipment_id = ANY($1::bigint[]);

-- name: shipments.record_facts
-- Inserts one row per fact. A stale fact did not move its parcel.
INSERT INTO shipment_facts (shipment_id, carrier, tracking_no, event_id, status, stale, place, occurred_at)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::timestamptz[]);
