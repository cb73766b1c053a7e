-- What a partition holds is read in one place.
CREATE VIEW order_months AS
SELECT p.place, p.name AS table_name, c.relname AS name, c.oid, c.reltuples,
    substring(pg_get_expr(c.relpartbound, c.oid) FROM 'FROM \(''(\d+)''\)')::bigint AS since,
    substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(\d+)''\)')::bigint AS before
FROM order_partitions p JOIN pg_inherits i ON i.inhparent = p.name::regclass JOIN pg_class c ON c.oid = i.inhrelid;
COMMENT ON VIEW order_months IS 'the partitions of these tables: orders with ids from since (null: the first) and below before';
CREATE OR REPLACE FUNCTION make_order_partitions(ahead interval) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    part record;
    month timestamptz;
    made integer := 0;
    new_name text;
BEGIN
    FOR part IN SELECT p.*, (SELECT max(m.before) FROM order_months m WHERE m.place = p.place) AS bound FROM order_partitions p ORDER BY p.place
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
COMMENT ON FUNCTION make_order_partitions IS 'makes what is missing until so long from now, two years at most, and says how many. Others read meanwhile; who writes a table waits from when a month of it is attached until the transaction ends';
CREATE OR REPLACE FUNCTION drop_empty_order_partitions(before bigint) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    month record;
    part record;
    filled boolean;
    dropped integer := 0;
    ended bigint := least(before, first_order_id(date_trunc('month', now(), 'UTC')));
BEGIN
    FOR month IN SELECT substr(m.name, length('orders') + 1) AS suffix FROM order_months m
        WHERE m.table_name = 'orders' AND m.before <= ended ORDER BY m.before
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
