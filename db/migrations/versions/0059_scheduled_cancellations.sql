ALTER TABLE timers DROP CONSTRAINT timers_kind_check, ADD CONSTRAINT timers_kind_check
    CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt', 'refund', 'shortage', 'cancelling', 'waybill', 'authorization', 'after_sale', 'dispute',
    'cancellation'));

CREATE TABLE scheduled_cancellations (
    order_id     bigint      PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    at           timestamptz NOT NULL,
    actor_type   text        NOT NULL,
    actor_id     text        NOT NULL,
    unpaid       boolean     NOT NULL,
    reason_code  text,
    scheduled_at timestamptz NOT NULL,
    CONSTRAINT scheduled_cancellations_ahead CHECK (at > scheduled_at)
);
COMMENT ON TABLE scheduled_cancellations IS 'orders that are to be cancelled at a time; a timer of kind cancellation has the same one';
