ALTER TABLE shipments ADD COLUMN given_up boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN shipments.given_up IS 'its lines were given back, because it would not arrive';
UPDATE shipments SET given_up = true
WHERE state IN ('refused', 'undeliverable', 'lost', 'returning', 'returned', 'loss_confirmed');
ALTER TABLE shipment_facts DROP CONSTRAINT shipment_facts_pkey, ADD PRIMARY KEY (shipment_id, event_id);
