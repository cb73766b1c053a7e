-- name: stock.lock_holders
-- $1 holder ids. Locks: each holder until commit, also before its first row exists.
SELECT pg_advisory_xact_lock(k.holder_id)
FROM (SELECT DISTINCT holder_id FROM unnest($1::bigint[]) AS h (holder_id) ORDER BY holder_id) AS k;

-- name: stock.holders
-- $1 holder ids (locked). The state of each holder. Unknown ids are missing.
SELECT holder_id, group_id, state, turn FROM stock_holders WHERE holder_id = ANY($1::bigint[]);

-- name: stock.held
-- $1 holder ids (locked). The units that each reserved, and those that came back, by place and ref.
SELECT holder_id, sku_id, warehouse, op, ref, qty
FROM stock_ledger
WHERE holder_id = ANY($1::bigint[]) AND op IN ('reserve', 'restock', 'quarantine', 'write_off');

-- name: stock.lock_counters
-- $1 SKU ids, $2 warehouses, each pair once. Locks: the counters, in key order. Unknown places are missing.
SELECT s.sku_id, s.warehouse, s.on_hand, s.locked, s.quarantined, s.low_units
FROM (SELECT * FROM unnest($1::text[], $2::text[]) AS k (sku_id, warehouse) ORDER BY sku_id, warehouse) AS k
CROSS JOIN LATERAL (
    SELECT * FROM stock n WHERE n.sku_id = k.sku_id AND n.warehouse = k.warehouse FOR UPDATE OFFSET 0
) AS s;

-- name: stock.create_counters
-- $1 SKU ids, $2 warehouses. Inserts counters of zero for new places, in sorted order, and returns these places.
INSERT INTO stock (sku_id, warehouse, on_hand)
SELECT sku_id, warehouse, 0 FROM unnest($1::text[], $2::text[]) AS k (sku_id, warehouse)
ORDER BY sku_id, warehouse
ON CONFLICT DO NOTHING
RETURNING sku_id, warehouse;

-- name: stock.delete_counters
-- $1 SKU ids, $2 warehouses: counters that this transaction has inserted, so no other one sees them.
DELETE FROM stock s USING unnest($1::text[], $2::text[]) AS k (sku_id, warehouse)
WHERE s.sku_id = k.sku_id AND s.warehouse = k.warehouse;

-- name: stock.save_thresholds
-- $1 SKU ids, $2 warehouses (the counters are locked), $3 thresholds, null for the shop's.
UPDATE stock s SET low_units = n.low_units
FROM unnest($1::text[], $2::text[], $3::integer[]) AS n (sku_id, warehouse, low_units)
WHERE s.sku_id = ANY (ARRAY[n.sku_id]) AND s.warehouse = ANY (ARRAY[n.warehouse]);

-- name: stock.save
-- Locks: the holders and counters are locked. $1 holder ids, $2 group ids, $3 states, $15 turns; $4 SKU ids, $5 warehouses, $6 on hand, $7 locked, $8 in
-- quarantine, one row per place, whatever the number of orders; and the ledger: $9 holder ids, $10 SKU ids, $11 warehouses, $12 operations,
-- $13 refs, $14 units. A second entry with the same key makes it fail.
WITH holders AS (
    INSERT INTO stock_holders (holder_id, group_id, state, turn)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $15::smallint[])
    ON CONFLICT (holder_id) DO UPDATE SET state = excluded.state, turn = excluded.turn, decided_at = clock_timestamp()
), counters AS (
    UPDATE stock s
    SET on_hand = n.on_hand, locked = n.locked, quarantined = n.quarantined
    FROM unnest($4::text[], $5::text[], $6::integer[], $7::integer[], $8::integer[]) AS n (sku_id, warehouse, on_hand, locked, quarantined)
    WHERE s.sku_id = ANY (ARRAY[n.sku_id]) AND s.warehouse = ANY (ARRAY[n.warehouse])
)
INSERT INTO stock_ledger (holder_id, sku_id, warehouse, op, ref, qty)
SELECT * FROM unnest($9::bigint[], $10::text[], $11::text[], $12::text[], $13::text[], $14::integer[]);
