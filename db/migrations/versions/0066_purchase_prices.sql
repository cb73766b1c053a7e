-- What the shop pays for a unit. Rows from before have none: their cost is not known.
ALTER TABLE skus ADD COLUMN purchase_price bigint CHECK (purchase_price >= 0);
COMMENT ON COLUMN skus.purchase_price IS 'what the shop pays for a unit; null: not known';
ALTER TABLE order_items ADD COLUMN purchase_price bigint CHECK (purchase_price >= 0);
COMMENT ON COLUMN order_items.purchase_price IS 'what the shop paid for a unit, for operators only; null: it was not known when the line was sold';
CREATE TRIGGER order_items_purchase_price_immutable BEFORE UPDATE OF purchase_price ON order_items
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
