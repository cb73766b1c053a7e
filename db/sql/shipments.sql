-- name: shipments.of_orders
-- $1 order ids (locked), $3 and $4 their bounds, $2 whether those with goods of cases count. All parcels that hold units of these orders, one row for each order
-- in them, also for other orders.
-- An order that withdrew all its units from a parcel has none there; of others only the units that are left count.
SELECT s.id, i.order_id, s.carrier, s.tracking_no, s.state, s.delayed, s.outbound_at, s.delivered_at, s.ended, s.case_id, s.to_buyer,
    bool_or(i.given_up) AS given_up, bool_and(i.withdrawn) AS withdrawn,
    coalesce(array_agg(i.line_no ORDER BY i.line_no) FILTER (WHERE NOT i.withdrawn), '{}') AS line_nos,
    coalesce(array_agg(i.qty ORDER BY i.line_no) FILTER (WHERE NOT i.withdrawn), '{}') AS qtys
FROM unnest(ARRAY(
    SELECT DISTINCT m.shipment_id FROM shipment_items m
    WHERE m.order_id BETWEEN $3::bigint AND $4::bigint AND m.order_id = ANY($1::bigint[]))) AS p (id)
CROSS JOIN LATERAL (SELECT * FROM shipments f WHERE f.id = p.id OFFSET 0) AS s
CROSS JOIN LATERAL (SELECT * FROM shipment_items m WHERE m.shipment_id = p.id OFFSET 0) AS i
WHERE $2::boolean OR s.case_id IS NULL
GROUP BY s.id, i.order_id, s.carrier, s.tracking_no, s.state, s.delayed, s.outbound_at, s.delivered_at, s.ended, s.case_id, s.to_buyer
ORDER BY s.id, i.order_id;

-- name: shipments.in_use
-- $1 carriers, $2 tracking numbers. Those that belong to a parcel which has not ended. Locks: none; a unique index guards them.
SELECT k.carrier, k.tracking_no
FROM unnest($1::text[], $2::text[]) AS k (carrier, tracking_no)
CROSS JOIN LATERAL (
    SELECT s.id FROM shipments s WHERE s.carrier = k.carrier AND s.tracking_no = k.tracking_no AND NOT s.ended LIMIT 1) AS parcel;

-- name: shipments.owners
-- $1 carriers, $2 tracking numbers, $3 order ids or nulls. The orders that have units in each parcel: in the one that holds units of
-- that order, else in any with this number; first in one that has not ended, then in the newest. A parcel has the id of its waybill,
-- which is older than parcels that were booked before the answer. Locks: none, so read again what it finds once the orders are locked.
SELECT DISTINCT i.order_id
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS k (carrier, tracking_no, order_id)
CROSS JOIN LATERAL (
    SELECT s.id
    FROM shipments s
    WHERE s.carrier = k.carrier AND s.tracking_no = k.tracking_no
    ORDER BY EXISTS (SELECT FROM shipment_items m WHERE m.shipment_id = s.id AND m.order_id = k.order_id) DESC, s.ended, s.id DESC
    LIMIT 1) AS parcel
CROSS JOIN LATERAL (SELECT m.order_id FROM shipment_items m WHERE m.shipment_id = parcel.id OFFSET 0) AS i;

-- name: shipments.insert
-- $1 ids, $2 carriers, $3 tracking numbers, $4 warehouses, $5 states, $6 delayed, $7 and $8 times, $9 ended, $10 cases whose
-- goods they carry, or nulls, $11 whether they take them to the buyer.
-- Inserts new parcels, in the state that the facts of the same batch give them. A live parcel with the same number makes it fail.
INSERT INTO shipments (id, carrier, tracking_no, warehouse, state, delayed, outbound_at, delivered_at, ended, case_id, to_buyer)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::timestamptz[],
    $8::timestamptz[], $9::boolean[], $10::bigint[], $11::boolean[]);

-- name: shipments.insert_items
-- $1 shipment ids, $2 order ids, $3 line numbers, $4 units, $5 given up.
INSERT INTO shipment_items (shipment_id, order_id, line_no, qty, given_up)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::integer[], $5::boolean[]);

-- name: shipments.save
-- $1 ids, $2 states, $3 delayed, $4 outbound and $5 delivered times, $6 ended. All orders in the parcels are locked.
UPDATE shipments s
SET state = n.state, delayed = n.delayed, outbound_at = n.outbound_at, delivered_at = n.delivered_at, ended = n.ended
FROM unnest($1::bigint[], $2::text[], $3::boolean[], $4::timestamptz[], $5::timestamptz[], $6::boolean[])
    AS n (id, state, delayed, outbound_at, delivered_at, ended)
WHERE s.id = ANY (ARRAY[n.id]);

-- name: shipments.give_up
-- $1 shipment ids, $2 order ids (locked). Marks the units that were given back.
UPDATE shipment_items i SET given_up = true
FROM unnest($1::bigint[], $2::bigint[]) AS n (shipment_id, order_id)
WHERE i.shipment_id = n.shipment_id AND i.order_id = n.order_id;

-- name: shipments.lock
-- $1 ids. Locks: the parcels, in id order. Other orders in them need not be locked: whoever withdraws units comes through here.
SELECT id FROM shipments WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE;

-- name: shipments.withdraw
-- $1 shipment ids, $2 order ids, $3 line numbers, $4 units that stay in the parcel. The orders and the parcels are locked, and no parcel
-- has left. A parcel without units is cancelled. If we booked it at its carrier, its waybill is unused, and a timer has it cancelled.
WITH gone AS (
    UPDATE shipment_items i SET withdrawn = (n.qty = 0), qty = CASE n.qty WHEN 0 THEN i.qty ELSE n.qty END
    FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::integer[]) AS n (shipment_id, order_id, line_no, qty)
    WHERE (i.shipment_id, i.order_id, i.line_no) = (n.shipment_id, n.order_id, n.line_no)
    RETURNING i.shipment_id, i.order_id, i.line_no, i.withdrawn
), emptied AS (
    UPDATE shipments s SET state = 'cancelled', ended = true
    WHERE s.id IN (SELECT g.shipment_id FROM gone g GROUP BY g.shipment_id HAVING bool_and(g.withdrawn))
        AND NOT EXISTS (
            SELECT FROM shipment_items i
            WHERE i.shipment_id = s.id AND NOT i.withdrawn AND (i.shipment_id, i.order_id, i.line_no) NOT IN (
                SELECT g.shipment_id, g.order_id, g.line_no FROM gone g))
    RETURNING s.id
), unused AS (
    UPDATE waybills w SET state = 'unused' FROM emptied e WHERE w.id = e.id AND w.state = 'booked' RETURNING w.id
)
INSERT INTO timers (kind, key, due_at, wake_at)
SELECT 'waybill', id, clock_timestamp(), clock_timestamp() FROM unused
ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, wake_at = excluded.wake_at, woken_at = NULL, wakes = 0;

-- name: shipments.facts
-- $1 shipment ids (their orders are locked). All facts about these parcels. Without the locks a fact could be missed.
SELECT shipment_id, event_id, status, occurred_at FROM shipment_facts WHERE shipment_id = ANY($1::bigint[]);

-- name: shipments.record_facts
-- Inserts one row per fact. A stale fact did not move its parcel.
INSERT INTO shipment_facts (shipment_id, carrier, tracking_no, event_id, status, stale, place, occurred_at)
SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[], $8::timestamptz[]);
