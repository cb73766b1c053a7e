CREATE TABLE free_texts (
    type       text        NOT NULL,
    field      text        NOT NULL,
    about      text        NOT NULL,
    message_id text        NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    key_id     text        NOT NULL,
    ciphertext bytea       NOT NULL,
    PRIMARY KEY (about, type, field, message_id)
);
CREATE INDEX free_texts_at ON free_texts (at);
COMMENT ON TABLE free_texts IS 'what people and strangers wrote in messages, encrypted';
COMMENT ON COLUMN free_texts.about IS 'what it is about: an order''s id, a refund''s number, provider and trade number, a user, or warehouse and SKU';

-- The old columns may hold sentences of people. The key is not in the database, so what is no code cannot be kept.
CREATE FUNCTION pg_temp.coded(reason text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN reason = 'not paid in time' THEN 'payment_timeout'
        WHEN reason = 'out of stock' THEN 'out_of_stock'
        WHEN reason = 'no parcel arrived' THEN 'delivery_failed'
        WHEN reason = 'the payment failed' THEN 'payment_failed'
        WHEN reason = 'closed by the provider' THEN 'closed_by_provider'
        WHEN reason = 'not captured' THEN 'not_captured'
        WHEN length(reason) <= 64 AND reason ~ '^([A-Za-z_.]|[0-9]{1,4}([A-Za-z_.]|$))+$' THEN reason
    END
$$;

ALTER TABLE orders RENAME COLUMN reason TO reason_code;
ALTER TABLE refunds RENAME COLUMN reason TO reason_code;
ALTER TABLE payment_facts RENAME COLUMN reason TO reason_code;
ALTER TABLE payment_attempts RENAME COLUMN reason TO reason_code;
ALTER TABLE payment_disputes RENAME COLUMN reason TO reason_code;
UPDATE orders SET reason_code = pg_temp.coded(reason_code) WHERE reason_code IS DISTINCT FROM pg_temp.coded(reason_code);
UPDATE refunds SET reason_code = pg_temp.coded(reason_code) WHERE reason_code IS DISTINCT FROM pg_temp.coded(reason_code);
UPDATE payment_facts SET reason_code = pg_temp.coded(reason_code) WHERE reason_code IS DISTINCT FROM pg_temp.coded(reason_code);
UPDATE payment_attempts SET reason_code = pg_temp.coded(reason_code) WHERE reason_code IS DISTINCT FROM pg_temp.coded(reason_code);
UPDATE payment_disputes SET reason_code = pg_temp.coded(reason_code) WHERE reason_code IS DISTINCT FROM pg_temp.coded(reason_code);
UPDATE commands
SET outcome = outcome - 'reason' || jsonb_build_object('reason_code', pg_temp.coded(outcome ->> 'reason'))
WHERE outcome ? 'reason';
ALTER TABLE order_snapshots DISABLE TRIGGER USER; -- it keeps history as it is, and personal data must go all the same
UPDATE order_snapshots SET data = data - 'reason' WHERE type = 6 AND data ? 'reason';
ALTER TABLE order_snapshots ENABLE TRIGGER USER;
