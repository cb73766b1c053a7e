-- Buyers have contacts, and are notified of what happens to their orders.
CREATE TABLE user_contacts (
    user_id     text        NOT NULL,
    medium      text        NOT NULL CHECK (medium IN ('email', 'sms', 'push')),
    key_id      text        NOT NULL,
    ciphertext  bytea       NOT NULL,
    language    text        NOT NULL,
    enabled     boolean     NOT NULL,
    quiet_begin text,
    quiet_until text,
    time_zone   text,
    opt_outs    text[]      NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, medium)
);
COMMENT ON COLUMN user_contacts.ciphertext IS 'the address, encrypted with the key of the user';

CREATE TABLE buyer_notifications (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause      text        NOT NULL,
    user_id    text        NOT NULL,
    medium     text        NOT NULL CHECK (medium IN ('email', 'sms', 'push')),
    kind       text        NOT NULL,
    order_id   bigint      NOT NULL,
    content    jsonb       NOT NULL,
    state      text        NOT NULL CHECK (state IN ('pending', 'sent', 'failed', 'skipped')),
    reason     text,
    attempts   integer     NOT NULL DEFAULT 0,
    wake_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at   timestamptz,
    UNIQUE (user_id, cause, medium),
    CHECK ((state = 'pending') = (ended_at IS NULL)),
    CHECK (state <> 'skipped' OR reason IS NOT NULL)
) WITH (fillfactor = 80);
COMMENT ON COLUMN buyer_notifications.cause IS 'the id of the event that it is about';
COMMENT ON COLUMN buyer_notifications.content IS 'the event, which has no personal data; its template reads it';
CREATE INDEX buyer_notifications_waiting ON buyer_notifications (wake_at) WHERE state = 'pending';
CREATE INDEX buyer_notifications_created ON buyer_notifications (created_at);
