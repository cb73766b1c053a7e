-- What operators take off the price of an order that waits for payment. A price changes only with rows of order_adjustments, which are only
-- added: created amounts are what an order costs now and what came off.
CREATE TABLE order_adjustments (
    order_id    bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    version     integer     NOT NULL,
    line_no     smallint    NOT NULL,
    amount      bigint      NOT NULL,
    shipping    bigint      NOT NULL,
    reason_code text        NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, version, line_no)
);
COMMENT ON TABLE order_adjustments IS 'what operators took off an unpaid order; a row of line 0 is the whole order, the others are its own lines';
COMMENT ON COLUMN order_adjustments.amount IS 'what came off, less than 0 if it was put on; shipping is the part that came off the shipping';

ALTER TABLE order_items ADD COLUMN adjustment_amount bigint NOT NULL DEFAULT 0;
ALTER TABLE order_items ADD COLUMN shipping_adjustment bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN order_items.adjustment_amount IS 'what operators took off the line; shipping_adjustment of it off its shipping_share';
ALTER TABLE order_items DROP CONSTRAINT order_items_payable;
ALTER TABLE order_items ADD CONSTRAINT order_items_payable CHECK (payable_amount = origin_amount - promotion_amount - coupon_amount
    - points_amount - adjustment_amount + tax_amount + shipping_share);
ALTER TABLE order_items ADD CONSTRAINT order_items_adjusted CHECK (shipping_share - shipping_adjustment BETWEEN 0 AND payable_amount);

CREATE OR REPLACE VIEW order_amount_details AS
    SELECT i.order_id, i.line_no, i.sku_id, a.type, a.amount
    FROM order_items i
    CROSS JOIN LATERAL (VALUES (10, i.origin_amount), (15, i.promotion_amount), (20, i.coupon_amount), (25, i.points_amount),
        (30, i.shipping_share), (35, i.tax_amount), (45, i.adjustment_amount), (50, i.payable_amount)) AS a (type, amount);
CREATE OR REPLACE VIEW snapshots AS
    SELECT order_id, type, data, created_at FROM order_snapshots
    UNION ALL
    SELECT o.id, 2::smallint, jsonb_build_object('currency', o.currency, 'origin', o.origin_amount, 'promotion', o.promotion_amount,
        'coupon', o.coupon_amount, 'points', o.points_amount, 'shipping', o.shipping_fee, 'tax', o.tax_amount, 'payable', o.payable_amount + o.adjustment_amount,
        'stages', '["promotion", "coupon", "points", "shipping", "tax"]'::jsonb,
        'rounding', jsonb_build_object('discount', coalesce(o.policy ->> 'discount_rounding', 'half_even'),
            'tax', coalesce(o.policy ->> 'tax_rounding', 'half_up'))), o.created_at
    FROM orders o
    WHERE NOT EXISTS (SELECT FROM order_snapshots s WHERE s.order_id = o.id AND s.type = 2)
    UNION ALL
    SELECT o.id, 3::smallint, l.lines, o.created_at
    FROM orders o
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object('line_no', i.line_no, 'sku_id', i.sku_id, 'name', i.name, 'qty', i.qty,
                'unit_price', i.unit_price, 'payable', i.payable_amount + i.adjustment_amount, 'specs', i.specs, 'category_id', i.category_id,
                'image_url', i.image_url, 'unit', i.unit)
            || CASE WHEN i.tax_basis_points IS NULL THEN '{}'::jsonb
                ELSE jsonb_build_object('tax', i.tax_amount, 'tax_basis_points', i.tax_basis_points) END
            || CASE WHEN i.promotion_id IS NULL THEN '{}'::jsonb
                ELSE jsonb_build_object('promotion_id', i.promotion_id, 'promotion', i.promotion_amount,
                    'promotion_text', i.promotion_text) END
            ORDER BY i.line_no) AS lines
        FROM order_items i
        WHERE i.order_id = ANY (o.id || ARRAY(SELECT c.id FROM orders c WHERE c.root_id = o.id AND c.root_id <> c.id))
    ) AS l
    WHERE l.lines IS NOT NULL AND NOT EXISTS (SELECT FROM order_snapshots s WHERE s.order_id = o.id AND s.type = 3);
CREATE FUNCTION refuse_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF old.state = 'awaiting_payment' AND new.adjustment_amount =
        (SELECT sum(amount) FROM order_adjustments WHERE order_id = old.id AND line_no = 0) THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'the price of an order changes only by order_adjustments while it waits for payment'
        USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE FUNCTION refuse_line_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (new.adjustment_amount, new.shipping_adjustment) =
        (SELECT sum(amount), sum(shipping) FROM order_adjustments WHERE order_id = old.order_id AND line_no = old.line_no) THEN
        RETURN new;
    END IF;
    RAISE EXCEPTION 'the price of a line changes only by order_adjustments' USING ERRCODE = 'integrity_constraint_violation';
END $$;
DROP TRIGGER orders_price_immutable ON orders;
CREATE TRIGGER orders_price_immutable BEFORE UPDATE OF currency, origin_amount, promotion_amount, coupon_amount, points_amount,
    shipping_fee, box_fee, tax_amount ON orders FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER orders_price_adjusted BEFORE UPDATE OF adjustment_amount, payable_amount ON orders
    FOR EACH ROW EXECUTE FUNCTION refuse_price();
DROP TRIGGER order_items_immutable ON order_items;
CREATE TRIGGER order_items_immutable BEFORE UPDATE OF order_id, line_no, sku_id, spu_id, name, product_type, seller_id, qty,
    unit_price, origin_amount, promotion_amount, coupon_amount, points_amount, tax_amount, shipping_share, category_id,
    promotion_id, promotion_revision, promotion_text, quota_units, gift_points, gift_growth
    ON order_items FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_items_price_adjusted BEFORE UPDATE OF adjustment_amount, shipping_adjustment, payable_amount ON order_items
    FOR EACH ROW EXECUTE FUNCTION refuse_line_price();
CREATE TRIGGER order_adjustments_immutable BEFORE UPDATE ON order_adjustments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
