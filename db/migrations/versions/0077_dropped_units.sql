ALTER TABLE dropped_units VALIDATE CONSTRAINT dropped_units_order_id_line_no_fkey;
DO $$ DECLARE t text; BEGIN FOR t IN SELECT name FROM order_partitions WHERE EXISTS (SELECT FROM orders) LOOP EXECUTE 'ANALYZE ' || t; END LOOP; END $$;
