CREATE INDEX user_keys_dropped ON user_keys (user_id) WHERE erased_at IS NOT NULL;
