CREATE TABLE imported_orders (
    order_id    bigint      PRIMARY KEY,
    source      text        NOT NULL,
    external_no text        NOT NULL,
    imported_at timestamptz NOT NULL,
    CONSTRAINT imported_orders_once UNIQUE (source, external_no)
);
COMMENT ON TABLE imported_orders IS 'what orders that were taken from other systems are called there';
