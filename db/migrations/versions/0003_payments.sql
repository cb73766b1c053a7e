CREATE TABLE payment_attempts (
    id           bigint      PRIMARY KEY,
    out_trade_no text        NOT NULL UNIQUE,
    intent_id    bigint      NOT NULL REFERENCES payment_intents (id) ON DELETE CASCADE,
    order_id     bigint      NOT NULL,
    channel      text        NOT NULL,
    scene        text        NOT NULL,
    amount       bigint      NOT NULL CHECK (amount > 0),
    currency     text        NOT NULL,
    state        text        NOT NULL CHECK (state IN ('created', 'requested', 'unknown', 'captured', 'failed', 'closing', 'closed')),
    reference    text,
    trade_no     text,
    reason       text,
    command      text[]      NOT NULL,
    key_id       text        NOT NULL,
    details      bytea       NOT NULL,
    started_at   timestamptz NOT NULL,
    expire_at    timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT payment_attempts_command CHECK (cardinality(command) = 2)
) WITH (fillfactor = 70);
COMMENT ON COLUMN payment_attempts.reference IS 'what the channel called the attempt when it was opened there';
COMMENT ON COLUMN payment_attempts.command IS 'scope and request id of the payment.start that is answered when the channel has';
COMMENT ON COLUMN payment_attempts.details IS 'ciphertext: address, payer and return URL of the buyer''s client';
CREATE INDEX payment_attempts_intent ON payment_attempts (intent_id);
CREATE INDEX payment_attempts_order ON payment_attempts (order_id);

CREATE TABLE channel_notices (
    id          bigint      PRIMARY KEY,
    channel     text        NOT NULL,
    body_hash   bytea       NOT NULL,
    verdict     text        NOT NULL CHECK (verdict IN ('believed', 'rejected')),
    code        text,
    about       text,
    copies      integer     NOT NULL DEFAULT 1,
    key_id      text        NOT NULL,
    notice      bytea       NOT NULL,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (channel, body_hash, verdict)
);
COMMENT ON TABLE channel_notices IS 'raw notifications, encrypted, for disputes; about is our number in them, where they were believed';
CREATE INDEX channel_notices_about ON channel_notices (about) WHERE about IS NOT NULL;
CREATE INDEX channel_notices_recorded ON channel_notices (verdict, recorded_at);

CREATE TABLE channel_certificates (
    channel    text        NOT NULL,
    serial     text        NOT NULL,
    pem        text        NOT NULL,
    fetched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (channel, serial)
);

CREATE TABLE reconciliations (
    channel     text        NOT NULL,
    day         date        NOT NULL,
    file_hash   bytea       NOT NULL,
    rows        integer     NOT NULL,
    matched     integer     NOT NULL,
    differences integer     NOT NULL,
    done_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (channel, day, file_hash)
);

CREATE TABLE reconciliation_rows (
    channel text NOT NULL,
    kind    text NOT NULL CHECK (kind IN ('capture', 'refund')),
    key     text NOT NULL,
    day     date NOT NULL,
    PRIMARY KEY (channel, kind, key)
);
COMMENT ON TABLE reconciliation_rows IS 'what of ours a statement listed, and of which day: captures by trade number, refunds by refund number';
CREATE INDEX payment_facts_captured ON payment_facts (channel, occurred_at) WHERE kind = 'captured';
CREATE INDEX refunds_succeeded ON refunds (channel, finished_at) WHERE state = 'succeeded';
CREATE INDEX refunds_running ON refunds (requested_at) WHERE state IN ('requested', 'submitted', 'unknown');
CREATE INDEX payment_attempts_trade ON payment_attempts (channel, trade_no) WHERE trade_no IS NOT NULL;

ALTER TABLE timers DROP CONSTRAINT timers_kind_check;
ALTER TABLE timers ADD CONSTRAINT timers_kind_check CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt', 'refund'));
