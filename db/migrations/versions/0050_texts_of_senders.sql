-- Two senders may choose one message id: each has texts of its own.
ALTER TABLE free_texts ADD COLUMN sender text NOT NULL DEFAULT '';
ALTER TABLE free_texts DROP CONSTRAINT free_texts_pkey, ADD PRIMARY KEY (about, type, field, message_id, sender);
COMMENT ON COLUMN free_texts.sender IS 'hash of the sender''s name, whose message id it is; empty: none named, or written by an older version';
