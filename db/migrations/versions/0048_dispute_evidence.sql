-- Disputes have ids of their own, by which timers and evidence name them.
ALTER TABLE payment_disputes ADD COLUMN id bigint GENERATED ALWAYS AS IDENTITY;
ALTER TABLE payment_disputes ADD CONSTRAINT payment_disputes_id UNIQUE (id);
CREATE TABLE dispute_evidence (
    dispute_id   bigint      NOT NULL REFERENCES payment_disputes (id) ON DELETE CASCADE,
    number       integer     NOT NULL CHECK (number > 0),
    evidence     jsonb       NOT NULL,
    message_id   text        NOT NULL,
    actor_id     text        NOT NULL,
    submitted_at timestamptz NOT NULL,
    PRIMARY KEY (dispute_id, number)
);
COMMENT ON TABLE dispute_evidence IS 'what the shop submitted against a dispute; free_texts has what was written, by message_id';
COMMENT ON COLUMN dispute_evidence.evidence IS 'references to photos and documents that the shop keeps elsewhere';
ALTER TABLE timers DROP CONSTRAINT timers_kind_check, ADD CONSTRAINT timers_kind_check
    CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt', 'refund', 'shortage', 'cancelling', 'waybill', 'authorization', 'after_sale',
        'dispute'));
