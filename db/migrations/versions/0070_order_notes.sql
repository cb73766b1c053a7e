CREATE TABLE order_notes (
    order_id   bigint      PRIMARY KEY,
    key_id     text        NOT NULL,
    ciphertext bytea       NOT NULL,
    actor_id   text        NOT NULL,
    changed_at timestamptz NOT NULL
);
COMMENT ON TABLE order_notes IS 'what operators note with an order, for operators; encrypted with the key of its user';
CREATE INDEX commands_of_others ON commands (split_part(scope, ':', 2)) WHERE split_part(scope, ':', 3) IN ('operator', 'system');
