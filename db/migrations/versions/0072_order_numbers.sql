-- Order numbers become unique by a table of their own, because `orders` becomes partitioned by month: a unique index of a
-- partitioned table must hold the partition key. A trigger keeps the numbers, so workers of the version before do it too.
-- Locks: `orders` and the other tables for an instant each; nothing is read yet.
SET LOCAL lock_timeout = '5s';
CREATE TABLE order_numbers (
    order_no text   PRIMARY KEY,
    order_id bigint NOT NULL
);
COMMENT ON TABLE order_numbers IS 'which order has a number, also once the order is archived; a trigger of orders writes it';
CREATE FUNCTION keep_order_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM order_numbers WHERE order_no = old.order_no;
    END IF;
    IF new.order_no IS NOT NULL THEN
        INSERT INTO order_numbers (order_no, order_id) VALUES (new.order_no, new.id);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER orders_number_inserted AFTER INSERT ON orders FOR EACH ROW WHEN (new.order_no IS NOT NULL)
    EXECUTE FUNCTION keep_order_number();
CREATE TRIGGER orders_number_set AFTER UPDATE OF order_no ON orders
    FOR EACH ROW WHEN (new.order_no IS DISTINCT FROM old.order_no) EXECUTE FUNCTION keep_order_number();

CREATE FUNCTION first_order_id(at timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN at <= '2024-01-01T00:00:00Z' THEN 0 WHEN at >= '2093-01-01T00:00:00Z' THEN 9223372036854775807
        ELSE ((extract(epoch FROM at) * 1000)::bigint - 1704067200000) << 22 END
$$;
COMMENT ON FUNCTION first_order_id IS 'the least id that an order placed at this time has: 41 bits of its id are milliseconds since 2024';

-- What the first partition of each table will hold: all orders until the end of the next month.
DO $$
DECLARE
    bound bigint := first_order_id(date_trunc('month', now(), 'UTC') + interval '2 months');
    part record;
BEGIN
    FOR part IN SELECT * FROM (VALUES ('orders', 'id'), ('order_items', 'order_id'), ('operate_logs', 'order_id'),
        ('order_addresses', 'order_id'), ('order_snapshots', 'order_id'), ('fulfilments', 'order_id'),
        ('fulfilment_steps', 'order_id'), ('shipment_items', 'order_id')) AS t (name, key)
    LOOP
        EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I CHECK (%I < %s) NOT VALID', part.name, part.name || '_bound', part.key, bound);
    END LOOP;
END $$;
