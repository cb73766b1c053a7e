CREATE TABLE fulfilments (
    order_id        bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    warehouse       text        NOT NULL,
    state           text        NOT NULL CHECK (state IN ('requested', 'accepted', 'picking', 'packed', 'handed_over', 'refused', 'withdrawn')),
    number          integer     NOT NULL CHECK (number > 0),
    units           integer     NOT NULL CHECK (units >= 0),
    address_changes integer     NOT NULL,
    cancel_no       integer,
    ref             text,
    reason_code     text,
    requested_at    timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    PRIMARY KEY (order_id, warehouse),
    CONSTRAINT fulfilments_cancel_open CHECK (cancel_no IS NULL OR state NOT IN ('requested', 'withdrawn'))
);
COMMENT ON COLUMN fulfilments.number IS 'counts the requests that were sent; facts name the one that they answer';
COMMENT ON COLUMN fulfilments.cancel_no IS 'the order version of a cancellation that the warehouse has not answered';
CREATE INDEX fulfilments_open ON fulfilments (warehouse, requested_at) WHERE state IN ('requested', 'accepted', 'picking', 'packed');

CREATE TABLE fulfilment_steps (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    warehouse   text        NOT NULL,
    pre_state   text        NOT NULL,
    cur_state   text        NOT NULL,
    number      integer     NOT NULL,
    cause_type  text        NOT NULL,
    cause_id    text        NOT NULL,
    reason_code text,
    happened_at timestamptz NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX fulfilment_steps_order ON fulfilment_steps (order_id);

ALTER TABLE timers DROP CONSTRAINT timers_kind_check,
    ADD CONSTRAINT timers_kind_check CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt', 'refund', 'shortage', 'cancelling'));
