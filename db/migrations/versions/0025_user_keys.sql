CREATE TABLE user_keys (
    key_id      text        PRIMARY KEY,
    user_id     text        NOT NULL,
    shop_key_id text,
    wrapped     bytea,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at   timestamptz,
    CONSTRAINT user_keys_erased CHECK (num_nulls(shop_key_id, wrapped) = CASE WHEN erased_at IS NULL THEN 0 ELSE 2 END)
);
COMMENT ON TABLE user_keys IS 'the data key of each user, encrypted with the key shop_key_id of the shop; an erased one is gone, and its id stays';
CREATE UNIQUE INDEX user_keys_live ON user_keys (user_id) WHERE erased_at IS NULL;

ALTER TABLE dead_letters ADD COLUMN about text[];
COMMENT ON COLUMN dead_letters.about IS 'user:<id> and order:<id> for each that the body names; null: kept before this was noted';
CREATE INDEX dead_letters_about ON dead_letters USING gin (about);
CREATE INDEX dead_letters_unexamined ON dead_letters (id) WHERE about IS NULL;
CREATE INDEX outbox_sealed ON outbox (id) WHERE key_id IS NOT NULL;
CREATE INDEX outbox_held_sealed ON outbox_held (id) WHERE key_id IS NOT NULL;
