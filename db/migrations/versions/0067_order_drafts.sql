CREATE TABLE order_drafts (
    id         bigint      PRIMARY KEY,
    user_id    text        NOT NULL,
    revision   bigint      NOT NULL CHECK (revision > 0),
    content    jsonb       NOT NULL,
    key_id     text        NOT NULL,
    ciphertext bytea       NOT NULL,
    order_id   bigint,
    saved_at   timestamptz NOT NULL
);
CREATE INDEX order_drafts_user ON order_drafts (user_id);
CREATE INDEX order_drafts_saved ON order_drafts (saved_at);
CREATE INDEX order_drafts_order ON order_drafts (order_id) WHERE order_id IS NOT NULL;
COMMENT ON TABLE order_drafts IS 'orders that buyers saved and have not placed';
COMMENT ON COLUMN order_drafts.content IS 'channel, currency and lines';
COMMENT ON COLUMN order_drafts.ciphertext IS 'address and remark as JSON, encrypted with the key of the user';
COMMENT ON COLUMN order_drafts.order_id IS 'the order that was placed from it; the draft is deleted once that is created, and free if it was rejected';
