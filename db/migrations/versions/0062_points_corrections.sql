ALTER TABLE points_ledger DROP CONSTRAINT points_ledger_op_check, ADD CONSTRAINT points_ledger_op_check
    CHECK (op IN ('grant', 'hold', 'use', 'release', 'return', 'reclaim', 'award', 'revoke', 'restore', 'add', 'deduct'));
