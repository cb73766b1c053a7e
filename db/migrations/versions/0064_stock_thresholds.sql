ALTER TABLE stock ADD COLUMN low_units integer CHECK (low_units >= 0);
COMMENT ON COLUMN stock.low_units IS 'stock.low is announced when so few can be sold; 0: never, null: as the setting says';
