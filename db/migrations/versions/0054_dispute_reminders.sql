-- A dispute says when people are to be reminded of it, so that a lost timer is seen and started again.
ALTER TABLE payment_disputes ADD COLUMN remind_at timestamptz;
COMMENT ON COLUMN payment_disputes.remind_at IS 'when people are reminded to answer; null once they were, or if they need not be';
UPDATE payment_disputes d SET remind_at = t.due_at FROM timers t WHERE t.kind = 'dispute' AND t.key = d.id AND d.state = 'opened';
