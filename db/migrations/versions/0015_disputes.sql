ALTER TABLE refunds DROP CONSTRAINT refunds_state_check,
    ADD CONSTRAINT refunds_state_check
        CHECK (state IN ('requested', 'submitted', 'succeeded', 'excess', 'failed', 'unknown', 'returned'));
CREATE TABLE payment_disputes (
    provider    text        NOT NULL,
    dispute_no  text        NOT NULL,
    trade_no    text        NOT NULL,
    state       text        NOT NULL CHECK (state IN ('opened', 'won', 'lost', 'closed')),
    amount      bigint      NOT NULL CHECK (amount > 0),
    currency    text        NOT NULL,
    reason      text,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (provider, dispute_no)
);
CREATE INDEX payment_disputes_trade ON payment_disputes (provider, trade_no);
CREATE OR REPLACE VIEW counted_refunds AS
SELECT r.id, r.order_id, r.provider, r.trade_no, r.amount - r.excess_amount AS amount
FROM refunds r JOIN payment_facts f ON f.provider = r.provider AND f.trade_no = r.trade_no AND f.kind = 'captured' AND f.verdict = 'kept'
WHERE r.state NOT IN ('failed', 'returned');
