-- A blocked member places no orders.
ALTER TABLE members ADD COLUMN blocked boolean NOT NULL DEFAULT false;
