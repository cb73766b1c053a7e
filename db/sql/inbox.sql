-- name: inbox.claim
-- $1 queue, $2 message ids and $3 their senders in ascending order, $4 the hashes of their bodies. Returns one row: ids and senders
-- of the new ones, and the time.
-- It waits for a transaction that is claiming the same id. All claims use one order; in different orders they would deadlock.
WITH claimed AS (
    INSERT INTO inbox (queue, message_id, sender, body_hash)
    SELECT $1, message.id, message.sender, message.hash
    FROM unnest($2::text[], $3::text[], $4::bytea[]) WITH ORDINALITY AS message (id, sender, hash, place)
    ORDER BY message.place
    ON CONFLICT DO NOTHING
    RETURNING message_id, sender
)
SELECT coalesce(array_agg(message_id), '{}') AS ids, coalesce(array_agg(sender), '{}') AS senders, clock_timestamp() AS now
FROM claimed;

-- name: inbox.hashes
-- $1 queue, $2 message ids and $3 their senders. The claims of them. Locks: none. A missing row was purged meanwhile.
SELECT i.message_id, i.sender, i.body_hash
FROM inbox i
JOIN unnest($2::text[], $3::text[]) AS message (id, sender) ON message.id = i.message_id AND message.sender = i.sender
WHERE i.queue = $1;

-- name: inbox.unclaim
-- $1 queue, $2 message ids and $3 senders of what this transaction claimed and did not finish. It deletes only rows that no other
-- transaction sees yet.
DELETE FROM inbox i
USING unnest($2::text[], $3::text[]) AS message (id, sender)
WHERE i.queue = $1 AND i.message_id = message.id AND i.sender = message.sender;

-- name: inbox.now
-- The database's time, for messages that are not claimed.
SELECT clock_timestamp();

-- name: inbox.purge
-- $1 how long a message is remembered, $2 how many rows at most. Fewer rows than that: nothing old is left.
-- It skips rows that another purge holds.
DELETE FROM inbox
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM inbox WHERE processed_at < now() - $1::interval LIMIT $2 FOR UPDATE SKIP LOCKED
));

-- name: inbox.probe
-- Whether the database takes writes: neither a standby nor set read-only. Locks: none.
SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off';

-- name: inbox.probe_commit
-- Whether a commit reaches the disk: it writes one record to the log that no reader takes. Locks: none.
SELECT pg_logical_emit_message(true, 'oms', 'probe') IS NOT NULL;
