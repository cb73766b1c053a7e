DROP INDEX shipments_number;
CREATE INDEX shipments_number ON shipments (tracking_no, carrier, id);
