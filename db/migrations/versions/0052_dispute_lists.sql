-- Disputes are found by the number at their provider, and by the date until which to answer.
CREATE INDEX payment_disputes_no ON payment_disputes (dispute_no);
CREATE INDEX payment_disputes_due ON payment_disputes (state, due_at, id);
