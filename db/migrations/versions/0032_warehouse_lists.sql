CREATE TABLE warehouse_lists (
    id         text        PRIMARY KEY,
    revision   bigint      NOT NULL,
    sku_id     text        NOT NULL,
    country    text        NOT NULL,
    province   text        NOT NULL,
    warehouses text[]      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT warehouse_lists_region CHECK (country <> '' OR province = '')
);
COMMENT ON TABLE warehouse_lists IS 'where a line comes from that names no warehouse, the best first; an empty SKU, country or province: any';
CREATE UNIQUE INDEX warehouse_lists_of ON warehouse_lists (sku_id, country, province);

COMMENT ON TABLE order_items IS 'lines as they were sold; their warehouse until they have their goods, the units and the money that went back change';

DROP TRIGGER order_items_immutable ON order_items;
CREATE TRIGGER order_items_immutable BEFORE UPDATE OF order_id, line_no, sku_id, spu_id, name, product_type, seller_id, qty,
    unit_price, origin_amount, promotion_amount, coupon_amount, points_amount, tax_amount, shipping_share, payable_amount, category_id,
    promotion_id, promotion_revision, promotion_text, quota_units, gift_points, gift_growth
    ON order_items FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE FUNCTION refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM orders WHERE id = old.order_id AND state = 'placing') THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'the warehouse of a line is final once the order has its goods' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER order_items_warehouse_final BEFORE UPDATE OF warehouse ON order_items
    FOR EACH ROW WHEN (new.warehouse <> old.warehouse) EXECUTE FUNCTION refuse_move();
