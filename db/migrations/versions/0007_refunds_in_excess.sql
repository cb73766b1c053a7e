ALTER TABLE refunds
    DROP CONSTRAINT refunds_state_check,
    ADD COLUMN excess_amount bigint NOT NULL DEFAULT 0 CHECK (excess_amount BETWEEN 0 AND amount),
    ADD COLUMN unexpected boolean NOT NULL DEFAULT false;
ALTER TABLE refunds
    ADD CONSTRAINT refunds_state_check CHECK (state IN ('requested', 'submitted', 'succeeded', 'excess', 'failed', 'unknown')),
    ADD CONSTRAINT refunds_excess CHECK ((state = 'excess') = (excess_amount > 0));
COMMENT ON COLUMN refunds.excess_amount IS 'the part that succeeded above what the order had left of the capture; people must recover it';
COMMENT ON COLUMN refunds.unexpected IS 'it succeeded after its provider had reported that it failed';
CREATE INDEX refunds_excess_open ON refunds (finished_at) WHERE state = 'excess';
DROP INDEX refunds_succeeded;
CREATE INDEX refunds_succeeded ON refunds (provider, finished_at) WHERE state IN ('succeeded', 'excess');
