ALTER TABLE orders VALIDATE CONSTRAINT orders_family_ids;
