-- What waits is found by when it began to wait, and alerts about it are raised once and again after a time.
CREATE INDEX shipments_waiting ON shipments ((CASE WHEN state NOT IN ('delivered', 'returned', 'loss_confirmed', 'cancelled') THEN booked_at END))
    WHERE CASE WHEN state NOT IN ('delivered', 'returned', 'loss_confirmed', 'cancelled') THEN booked_at END IS NOT NULL;
CREATE INDEX waybills_waiting ON waybills ((CASE WHEN state IN ('requested', 'unused') THEN requested_at END))
    WHERE CASE WHEN state IN ('requested', 'unused') THEN requested_at END IS NOT NULL;
CREATE INDEX refunds_failed ON refunds ((CASE state WHEN 'failed' THEN coalesce(finished_at, requested_at) END))
    WHERE CASE state WHEN 'failed' THEN coalesce(finished_at, requested_at) END IS NOT NULL;
CREATE INDEX payment_authorizations_waiting ON payment_authorizations
    ((CASE WHEN verdict = 'kept' AND (state = 'capturing' OR not_taken_at IS NOT NULL) THEN coalesce(not_taken_at, updated_at) END))
    WHERE CASE WHEN verdict = 'kept' AND (state = 'capturing' OR not_taken_at IS NOT NULL) THEN coalesce(not_taken_at, updated_at) END IS NOT NULL;
CREATE INDEX after_sale_send_backs_waiting ON after_sale_send_backs ((CASE WHEN sent_at IS NULL THEN requested_at END))
    WHERE CASE WHEN sent_at IS NULL THEN requested_at END IS NOT NULL;

CREATE TABLE standing_alerts (
    name      text        PRIMARY KEY,
    raised_at timestamptz NOT NULL,
    count     bigint      NOT NULL CHECK (count >= 0)
);
COMMENT ON TABLE standing_alerts IS 'what people were last alerted of, by kind, and how many there were; the next alert follows from it';
