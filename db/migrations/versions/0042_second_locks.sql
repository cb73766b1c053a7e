-- A coupon is locked once more for an order that a late payment reinstates, and may be released again.
ALTER TABLE coupon_ledger DROP CONSTRAINT coupon_ledger_op_check;
ALTER TABLE coupon_ledger ADD CONSTRAINT coupon_ledger_op_check
    CHECK (op IN ('lock', 'use', 'release', 'return', 'relock', 'rerelease'));
