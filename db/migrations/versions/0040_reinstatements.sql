-- A late payment may reinstate an order that its payment timeout cancelled: a state, a verdict, and a second turn of reservations.
ALTER TABLE orders DROP CONSTRAINT orders_state_check;
ALTER TABLE orders ADD CONSTRAINT orders_state_check CHECK (state IN ('placing', 'awaiting_payment', 'paid', 'fulfilling', 'shipped',
    'delivered', 'cancelling', 'cancelled', 'completed', 'delivery_failed', 'split', 'rejected', 'reinstating'));
ALTER TABLE payment_facts DROP CONSTRAINT payment_facts_verdict_check;
ALTER TABLE payment_facts ADD CONSTRAINT payment_facts_verdict_check
    CHECK (verdict IN ('kept', 'late', 'duplicate', 'mismatch', 'failed', 'waiting'));
CREATE UNIQUE INDEX payment_facts_one_waiting ON payment_facts (order_id) WHERE verdict = 'waiting';
ALTER TABLE stock_holders ADD COLUMN turn smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN stock_holders.turn IS 'the reservation that the state is about: 0 when the order is placed, 1 when it is reinstated';
