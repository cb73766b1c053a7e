ALTER TABLE shipment_items
    ADD COLUMN given_up boolean NOT NULL DEFAULT false,
    ADD COLUMN withdrawn boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT shipment_items_pkey,
    ADD PRIMARY KEY (shipment_id, order_id, line_no),
    ADD FOREIGN KEY (order_id) REFERENCES orders (id) ON DELETE CASCADE;
UPDATE shipment_items i SET given_up = s.given_up, withdrawn = (s.state = 'cancelled') FROM shipments s WHERE s.id = i.shipment_id;
COMMENT ON TABLE shipment_items IS 'a parcel may hold goods of several orders of one user';
COMMENT ON COLUMN shipment_items.given_up IS 'these units were given back, because the parcel would not arrive';
COMMENT ON COLUMN shipment_items.withdrawn IS 'these units were taken out before the parcel left';

ALTER TABLE shipments
    ADD COLUMN ended boolean NOT NULL DEFAULT false,
    DROP COLUMN order_id,
    DROP COLUMN given_up,
    DROP CONSTRAINT shipments_carrier_tracking_no_key;
UPDATE shipments SET ended = true WHERE state IN ('delivered', 'returned', 'loss_confirmed', 'cancelled');
ALTER TABLE shipments
    ADD CONSTRAINT shipments_ended CHECK (ended OR state NOT IN ('delivered', 'returned', 'loss_confirmed', 'cancelled'));
COMMENT ON COLUMN shipments.ended IS 'it arrived, came back, was confirmed lost or cancelled: its number may be used again';
CREATE UNIQUE INDEX shipments_live ON shipments (carrier, tracking_no) WHERE NOT ended;
CREATE INDEX shipments_number ON shipments (carrier, tracking_no, id);
