-- What belongs to an order becomes tables of months as well, in the same way and with the same locks.
SET LOCAL lock_timeout = '5s';
ALTER TABLE fulfilment_steps DROP CONSTRAINT fulfilment_steps_pkey;
ALTER TABLE fulfilment_steps ADD CONSTRAINT fulfilment_steps_pkey PRIMARY KEY USING INDEX fulfilment_steps_key;
DROP INDEX fulfilment_steps_order;
CREATE TEMPORARY TABLE last_step ON COMMIT DROP AS SELECT last_value, is_called FROM fulfilment_steps_id_seq;
ALTER TABLE fulfilment_steps ALTER id DROP IDENTITY;
SELECT become_first_partition('order_items', 'order_id');
SELECT become_first_partition('operate_logs', 'order_id');
SELECT become_first_partition('order_addresses', 'order_id');
SELECT become_first_partition('order_snapshots', 'order_id');
SELECT become_first_partition('fulfilments', 'order_id');
SELECT become_first_partition('fulfilment_steps', 'order_id');
SELECT become_first_partition('shipment_items', 'order_id');
ALTER TABLE fulfilment_steps ALTER id ADD GENERATED ALWAYS AS IDENTITY;
SELECT setval('fulfilment_steps_id_seq', last_value, is_called) FROM last_step;
DROP FUNCTION become_first_partition;
DROP FUNCTION grants_of;

CREATE VIEW order_partitions AS
SELECT * FROM (VALUES (1, 'orders', 70), (2, 'order_items', 90), (3, 'operate_logs', 100), (4, 'order_addresses', 100), (5, 'order_snapshots', 100),
    (6, 'fulfilments', 100), (7, 'fulfilment_steps', 100), (8, 'shipment_items', 100)) AS t (place, name, fillfactor);
COMMENT ON VIEW order_partitions IS 'the tables that have a partition for each month of the ids of their orders; those after the first refer to it';
CREATE FUNCTION make_order_partitions(ahead interval) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    part record;
    month timestamptz;
    made integer := 0;
    new_name text;
BEGIN
    FOR part IN SELECT p.*, (SELECT max(substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(\d+)''\)')::bigint)
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = p.name::regclass) AS bound
        FROM order_partitions p ORDER BY p.place
    LOOP
        month := to_timestamp(((part.bound >> 22) + 1704067200000) / 1000.0);
        WHILE month < clock_timestamp() + least(ahead, interval '2 years') LOOP
            new_name := part.name || to_char(month AT TIME ZONE 'UTC', '_YYYY_MM');
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL EXCLUDING IDENTITY EXCLUDING COMMENTS) WITH (fillfactor = %s)',
                new_name, part.name, part.fillfactor);
            month := ((month AT TIME ZONE 'UTC') + interval '1 month') AT TIME ZONE 'UTC';
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part.name, new_name, part.bound,
                first_order_id(month));
            part.bound := first_order_id(month);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION make_order_partitions IS 'makes what is missing until so long from now, two years at most, and says how many. A table is made first and attached then, because that lets others read and write meanwhile';
