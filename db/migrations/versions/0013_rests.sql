ALTER TABLE order_items
    ADD COLUMN short_qty integer NOT NULL DEFAULT 0 CHECK (short_qty >= 0),
    ADD COLUMN cancelled_qty integer NOT NULL DEFAULT 0 CHECK (cancelled_qty >= 0),
    ADD CONSTRAINT order_items_dropped CHECK (short_qty + cancelled_qty <= refunded_qty);
COMMENT ON COLUMN order_items.short_qty IS 'units that the warehouse did not have; they were given back';
COMMENT ON COLUMN order_items.cancelled_qty IS 'units that were cancelled after others had left; they were given back';

CREATE TABLE dropped_units (
    order_id bigint      NOT NULL,
    ref      text        NOT NULL,
    line_no  smallint    NOT NULL,
    kind     text        NOT NULL CHECK (kind IN ('short', 'cancelled')),
    qty      integer     NOT NULL CHECK (qty > 0),
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (order_id, ref, line_no),
    FOREIGN KEY (order_id, line_no) REFERENCES order_items (order_id, line_no) ON DELETE CASCADE
);
COMMENT ON TABLE dropped_units IS 'units that a partly shipped order will not ship; ref is the cause of their refund and the ref of their restock';
