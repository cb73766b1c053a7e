ALTER TABLE stock_ledger DROP CONSTRAINT stock_ledger_op_check, ADD CONSTRAINT stock_ledger_op_check
    CHECK (op IN ('receive', 'adjust', 'reserve', 'commit', 'release', 'restock', 'quarantine', 'write_off', 'clear', 'discard', 'transfer_out',
    'transfer_in'));
