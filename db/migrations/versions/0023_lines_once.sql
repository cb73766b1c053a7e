-- An order's lines stand in order_items alone, its amounts in orders alone, and the outcome of order.create is rendered from both. No row is
-- rewritten here: every reader understands the old form too, and moves/0023_lines_once.sql moves the old rows in small batches.
ALTER TABLE order_items ADD COLUMN specs jsonb;
ALTER TABLE order_items ADD COLUMN image_url text;
ALTER TABLE order_items ADD COLUMN unit text;
ALTER TABLE order_items ADD COLUMN tax_basis_points integer;
COMMENT ON TABLE order_items IS 'lines as they were sold; only the units and the money that went back change';
COMMENT ON COLUMN order_items.specs IS 'null: the line is older than this column, and snapshot 3 of its order has specs, image_url, unit and tax rate';
COMMENT ON COLUMN order_items.tax_basis_points IS 'null: no tax was added';
COMMENT ON COLUMN order_snapshots.type IS '1 coupon, 5 promotion rules used, 6 risk verdict; 2 amount and 3 item only of older orders';

ALTER TABLE commands ADD COLUMN order_id bigint;
COMMENT ON COLUMN commands.order_id IS 'the outcome is order.created of this order and is rendered from it; else outcome has it';
ALTER TABLE commands DROP CONSTRAINT commands_outcome_whole;
ALTER TABLE commands ADD CONSTRAINT commands_outcome_whole CHECK (num_nulls(outcome_type, decided_at) IN (0, 2)
    AND num_nonnulls(outcome, order_id) = num_nonnulls(outcome_type));

CREATE VIEW snapshots AS
    SELECT order_id, type, data, created_at FROM order_snapshots
    UNION ALL
    SELECT o.id, 2::smallint, jsonb_build_object('currency', o.currency, 'origin', o.origin_amount, 'promotion', o.promotion_amount,
        'coupon', o.coupon_amount, 'points', o.points_amount, 'shipping', o.shipping_fee, 'tax', o.tax_amount, 'payable', o.payable_amount,
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
                'unit_price', i.unit_price, 'payable', i.payable_amount, 'specs', i.specs, 'category_id', i.category_id,
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
COMMENT ON VIEW snapshots IS 'an order''s own copy of its coupon, amounts, lines and rules, as the source documents have them';

CREATE TRIGGER orders_price_immutable BEFORE UPDATE OF currency, origin_amount, promotion_amount, coupon_amount, points_amount,
    shipping_fee, box_fee, tax_amount, payable_amount ON orders FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER orders_policy_immutable BEFORE UPDATE OF policy ON orders
    FOR EACH ROW WHEN (NOT new.policy @> old.policy
        OR new.policy - '{discount_rounding,tax_rounding}'::text[] <> old.policy - '{discount_rounding,tax_rounding}'::text[])
    EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_items_immutable BEFORE UPDATE OF order_id, line_no, sku_id, warehouse, spu_id, name, product_type, seller_id, qty,
    unit_price, origin_amount, promotion_amount, coupon_amount, points_amount, tax_amount, shipping_share, payable_amount, category_id,
    promotion_id, promotion_revision, promotion_text, quota_units, gift_points, gift_growth
    ON order_items FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER order_items_specs_immutable BEFORE UPDATE OF specs, image_url, unit, tax_basis_points ON order_items
    FOR EACH ROW WHEN (old.specs IS NOT NULL) EXECUTE FUNCTION refuse_change();
