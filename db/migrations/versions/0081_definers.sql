-- Functions with the rights of their owner look at no table that their caller made, and drop no month that has not ended.
-- A month is dropped under locks in the order in which workers take them: orders first.
ALTER FUNCTION make_order_partitions SET search_path = public, pg_temp;
CREATE OR REPLACE FUNCTION drop_empty_order_partitions(before bigint) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month record;
    part record;
    filled boolean;
    dropped integer := 0;
    ended bigint := least(before, first_order_id(date_trunc('month', now(), 'UTC')));
BEGIN
    FOR month IN SELECT substr(c.relname, length('orders') + 1) AS suffix
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'orders'::regclass AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(\d+)''\)')::bigint <= ended
        ORDER BY substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(\d+)''\)')::bigint
    LOOP
        FOR part IN SELECT name || month.suffix AS name FROM order_partitions LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', part.name) INTO filled;
            EXIT WHEN filled;
        END LOOP;
        EXIT WHEN filled;
        EXECUTE (SELECT 'LOCK TABLE ' || string_agg(format('ONLY %I', name), ', ' ORDER BY place) FROM order_partitions);
        FOR part IN SELECT name FROM order_partitions ORDER BY place DESC LOOP
            EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', part.name, part.name || month.suffix);
            EXECUTE format('DROP TABLE %I', part.name || month.suffix);
        END LOOP;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
