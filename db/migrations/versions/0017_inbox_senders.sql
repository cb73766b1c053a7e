-- Rows that exist become those of our own processes, which alone depend on the inbox: what others send again is known by the stored
-- outcome of a command and the business key of a fact. The column costs no rewrite of the table. The new key is built under a lock,
-- some seconds for each ten million rows.
ALTER TABLE inbox ADD COLUMN sender text NOT NULL DEFAULT '*';
ALTER TABLE inbox DROP CONSTRAINT inbox_pkey, ADD PRIMARY KEY (queue, message_id, sender);
COMMENT ON COLUMN inbox.sender IS 'broker user that published first; empty: none named; *: our own processes';
