CREATE TABLE order_holds (
    id                  bigint      PRIMARY KEY,
    order_id            bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    kind                text        NOT NULL CHECK (kind IN ('operator', 'risk')),
    reason_code         text        NOT NULL,
    message_id          text        NOT NULL,
    held_since          timestamptz NOT NULL,
    placed_at           timestamptz NOT NULL,
    placed_by_type      text        NOT NULL,
    placed_by           text        NOT NULL,
    released_at         timestamptz,
    released_by_type    text,
    released_by         text,
    release_reason_code text,
    CONSTRAINT order_holds_released CHECK ((released_at IS NULL) = (released_by IS NULL) AND released_at >= placed_at)
);
CREATE INDEX order_holds_order ON order_holds (order_id);
CREATE INDEX order_holds_open ON order_holds (placed_at, id) WHERE released_at IS NULL;
COMMENT ON TABLE order_holds IS 'holds of orders; orders.held says whether an order has an open one';
COMMENT ON COLUMN order_holds.held_since IS 'when its order began to be held: the first hold of an unbroken row';
