ALTER TABLE timers DROP CONSTRAINT timers_kind_check;
ALTER TABLE timers ADD CONSTRAINT timers_kind_check
    CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt', 'refund', 'shortage', 'cancelling', 'waybill'));

CREATE TABLE waybills (
    id           bigint      PRIMARY KEY,
    order_id     bigint      NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    scope        text        NOT NULL,
    request_id   text        NOT NULL,
    carrier      text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('requested', 'booked', 'refused', 'unused', 'cancelled', 'uncancelled')),
    plan         jsonb       NOT NULL,
    tracking_no  text,
    ship_time    timestamptz,
    refusal      text,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    answered_at  timestamptz,
    CONSTRAINT waybills_numbered CHECK ((tracking_no IS NOT NULL) = (state NOT IN ('requested', 'refused')))
);
COMMENT ON TABLE waybills IS 'a parcel that we book at its carrier: its id is that of the parcel, and our number at the carrier';
COMMENT ON COLUMN waybills.scope IS 'with request_id: the shipment.create that waits for the answer';
COMMENT ON COLUMN waybills.state IS 'unused: no parcel has it, and it is to be cancelled; uncancelled: the carrier refused that';
CREATE INDEX waybills_order ON waybills (order_id);
