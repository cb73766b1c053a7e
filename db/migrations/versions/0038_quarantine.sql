ALTER TABLE stock ADD COLUMN quarantined integer NOT NULL DEFAULT 0 CHECK (quarantined >= 0);
COMMENT ON COLUMN stock.quarantined IS 'units that came back and are kept apart; they are not on hand';

ALTER TABLE stock_ledger DROP CONSTRAINT stock_ledger_op_check;
ALTER TABLE stock_ledger ADD CONSTRAINT stock_ledger_op_check
    CHECK (op IN ('receive', 'adjust', 'reserve', 'commit', 'release', 'restock', 'quarantine', 'write_off', 'clear', 'discard'));
