CREATE TABLE exchange_orders (
    order_id       bigint PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    case_id        bigint NOT NULL,
    first_order_id bigint NOT NULL,
    value_amount   bigint NOT NULL CHECK (value_amount >= 0),
    price_amount   bigint NOT NULL CHECK (price_amount >= 0),
    state          text   NOT NULL CHECK (state IN ('reserving', 'reserved', 'confirmed', 'paid', 'delivered', 'ended'))
) WITH (fillfactor = 80);
CREATE INDEX exchange_orders_case ON exchange_orders (case_id);
COMMENT ON TABLE exchange_orders IS 'orders of kind exchange: the case and the order whose goods they replace; they change under the lock of that order';
COMMENT ON COLUMN exchange_orders.value_amount IS 'what the goods that come back count for';
COMMENT ON COLUMN exchange_orders.price_amount IS 'what the wanted goods cost; above value_amount the buyer pays the rest, below it the rest goes back';
