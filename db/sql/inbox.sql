-- name: inbox.claim
-- $1 queue, $2 message ids in ascending order, $3 their body hashes. Returns one row: the new ids, and the time.
-- It waits for a transaction that is claiming the same id. All claims use one order; in different orders they would deadlock.
WITH claimed AS (
    INSERT INTO inbox (queue, message_id, body_hash)
    SELECT $1, message.id, message.hash
    FROM unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS message (id, hash, place)
    ORDER BY message.place
    ON CONFLICT DO NOTHING
    RETURNING message_id
)
SELECT ARRAY(SELECT message_id FROM claimed) AS fresh, clock_timestamp() AS now;

-- name: inbox.hashes
-- $1 queue, $2 message ids that were claimed before. Locks: none. A missing row was purged meanwhile.
SELECT message_id, body_hash FROM inbox WHERE queue = $1 AND message_id = ANY ($2::text[]);

-- name: inbox.unclaim
-- $1 queue, $2 message ids that this transaction claimed and did not finish. It deletes only rows that no other transaction sees yet.
DELETE FROM inbox WHERE queue = $1 AND message_id = ANY ($2::text[]);

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
