-- Orders that exist go on after the numbers that their steps had until now; which steps of a family were announced is their versions less one.
CREATE TABLE outbox_streams (
    stream          text   PRIMARY KEY,
    last            bigint NOT NULL, -- the number of its newest event: 1, 2, 3 ... without gaps
    conversation_id text   NOT NULL  -- the correlation id of the message that began it, which every event of it names
) WITH (fillfactor = 70);
INSERT INTO outbox_streams
SELECT root_id::text, sum(version - 1), min(conversation_id) FROM orders GROUP BY root_id;
