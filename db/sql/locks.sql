-- name: locks.timeout
-- $1 milliseconds as text. How long this transaction waits for each lock from now on.
SELECT set_config('lock_timeout', $1, true);

-- name: locks.tables
-- The tables that another session locks as a whole, or waits to lock. Such a lock keeps every writer out. Locks: none.
SELECT array_agg(DISTINCT c.relname::text)
FROM pg_locks AS l JOIN pg_class AS c ON c.oid = l.relation
WHERE l.locktype = 'relation'
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND l.pid <> pg_backend_pid() AND c.oid >= 16384;
