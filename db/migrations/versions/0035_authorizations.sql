-- A payment may be authorised only, and captured when goods leave. What of it is not captured is released: a refund that moves no money.
ALTER TABLE payment_attempts ADD COLUMN authorize boolean NOT NULL DEFAULT false;
ALTER TABLE payment_attempts DROP CONSTRAINT payment_attempts_state_check;
ALTER TABLE payment_attempts ADD CONSTRAINT payment_attempts_state_check CHECK (state IN ('created', 'requested', 'unknown', 'captured', 'failed', 'closing', 'closed', 'authorized'));
ALTER TABLE refunds DROP CONSTRAINT refunds_state_check;
ALTER TABLE refunds ADD CONSTRAINT refunds_state_check CHECK (state IN ('requested', 'submitted', 'succeeded', 'excess', 'failed', 'unknown', 'returned', 'released', 'deferred'));
ALTER TABLE timers DROP CONSTRAINT timers_kind_check;
ALTER TABLE timers ADD CONSTRAINT timers_kind_check CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt', 'refund', 'shortage', 'cancelling', 'waybill', 'authorization'));
ALTER TABLE order_holds DROP CONSTRAINT order_holds_kind_check;
ALTER TABLE order_holds ADD CONSTRAINT order_holds_kind_check CHECK (kind IN ('operator', 'risk', 'shortage', 'payment'));

CREATE TABLE payment_authorizations (
    attempt_id       bigint      PRIMARY KEY REFERENCES payment_attempts (id) ON DELETE CASCADE,
    order_id         bigint      NOT NULL,
    provider         text        NOT NULL,
    authorization_no text        NOT NULL,
    amount           bigint      NOT NULL CHECK (amount > 0),
    currency         text        NOT NULL,
    verdict          text        NOT NULL CHECK (verdict IN ('kept', 'late', 'duplicate', 'mismatch')),
    state            text        NOT NULL CHECK (state IN ('authorized', 'capturing', 'captured', 'failed', 'voiding', 'voided')),
    capture_amount   bigint      CHECK (capture_amount BETWEEN 1 AND amount),
    captures         integer     NOT NULL DEFAULT 0,
    trade_no         text,
    reason_code      text,
    authorized_at    timestamptz NOT NULL,
    renewed_at       timestamptz,
    expire_at        timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE payment_authorizations IS 'money that a provider reserves for us; what of it is not captured is released or voided';
COMMENT ON COLUMN payment_authorizations.capture_amount IS 'what the last capture asks for: the authorised amount without what was released before';
COMMENT ON COLUMN payment_authorizations.captures IS 'how many captures were requested; each has its own number at the provider';
COMMENT ON COLUMN payment_authorizations.trade_no IS 'the provider''s number of the last capture that it reported';
CREATE INDEX payment_authorizations_order ON payment_authorizations (order_id);
CREATE UNIQUE INDEX payment_authorizations_one_kept ON payment_authorizations (order_id) WHERE verdict = 'kept';

CREATE OR REPLACE VIEW counted_refunds AS
SELECT r.id, r.order_id, r.provider, r.trade_no, r.amount - r.excess_amount AS amount
FROM refunds r JOIN payment_facts f ON f.provider = r.provider AND f.trade_no = r.trade_no AND f.kind = 'captured' AND f.verdict = 'kept'
WHERE r.state NOT IN ('failed', 'returned', 'released', 'deferred')
UNION ALL
SELECT r.id, r.order_id, r.provider, r.trade_no, r.amount FROM refunds r WHERE r.state IN ('released', 'deferred');
COMMENT ON VIEW counted_refunds IS 'refunds that draw on the capture that an order keeps, and whose money is gone or on its way, and what of its authorisation is released; what failed, and what is above the capture, counts for nothing';
