CREATE TABLE outbox_floor (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    floor     bigint  NOT NULL DEFAULT 0,
    candidate bigint  NOT NULL DEFAULT 0,
    writers   text[]  NOT NULL DEFAULT '{}'
);
INSERT INTO outbox_floor DEFAULT VALUES;

-- Relays of the version before are stopped. Those that start take the shards at once.
UPDATE outbox_shards SET owner = NULL;
DELETE FROM outbox_relays;
ALTER TABLE outbox_shards DROP COLUMN lease_until;
