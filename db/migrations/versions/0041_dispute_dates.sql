-- Until when a dispute has to be answered at its provider.
ALTER TABLE payment_disputes ADD COLUMN due_at timestamptz;
COMMENT ON COLUMN payment_disputes.due_at IS 'until when the shop has to answer at the provider; null once it need not';
CREATE INDEX payment_disputes_state ON payment_disputes (state, occurred_at);
