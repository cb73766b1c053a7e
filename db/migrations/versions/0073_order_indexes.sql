-- Reads every order once, while workers go on: nothing here waits for them, and they wait for nothing.
DO $$ DECLARE broken regclass; BEGIN FOR broken IN SELECT indexrelid FROM pg_index WHERE NOT indisvalid AND indexrelid IN (to_regclass('orders_user'), to_regclass('orders_user_state'), to_regclass('fulfilment_steps_key')) LOOP EXECUTE 'DROP INDEX ' || broken; END LOOP; END $$;
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_user ON orders (user_id, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_user_state ON orders (user_id, state, id);
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS fulfilment_steps_key ON fulfilment_steps (order_id, id);
INSERT INTO order_numbers (order_no, order_id) SELECT order_no, id FROM orders WHERE order_no IS NOT NULL ON CONFLICT DO NOTHING;
ALTER TABLE orders VALIDATE CONSTRAINT orders_bound;
ALTER TABLE order_items VALIDATE CONSTRAINT order_items_bound;
ALTER TABLE operate_logs VALIDATE CONSTRAINT operate_logs_bound;
ALTER TABLE order_addresses VALIDATE CONSTRAINT order_addresses_bound;
ALTER TABLE order_snapshots VALIDATE CONSTRAINT order_snapshots_bound;
ALTER TABLE fulfilments VALIDATE CONSTRAINT fulfilments_bound;
ALTER TABLE fulfilment_steps VALIDATE CONSTRAINT fulfilment_steps_bound;
ALTER TABLE shipment_items VALIDATE CONSTRAINT shipment_items_bound;
