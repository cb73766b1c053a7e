ALTER TABLE order_holds DROP CONSTRAINT order_holds_kind_check;
ALTER TABLE order_holds ADD CONSTRAINT order_holds_kind_check CHECK (kind IN ('operator', 'risk', 'shortage'));
ALTER TABLE timers DROP CONSTRAINT timers_kind_check;
ALTER TABLE timers ADD CONSTRAINT timers_kind_check CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt', 'refund', 'shortage'));
