-- What `oms doctor` reads beside outbox.backlog, timers.backlog, dead_letters.open_counts and order_partitions.last.

-- name: doctor.server
-- Locks: none. The server's clock, whether it is a standby that takes no writes, and how many locks all its transactions can hold together.
SELECT clock_timestamp() AS now, pg_is_in_recovery() AS standby,
    current_setting('max_locks_per_transaction')::bigint * current_setting('max_connections')::bigint AS lock_slots;
