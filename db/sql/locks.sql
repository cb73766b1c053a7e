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

-- name: locks.only_batches
-- $1 seconds. Whether every other transaction of this database that holds rows began within this time, as batches of workers do. A
-- transaction of another database user shows no age, so it counts as old, and so does a prepared one. Locks: none.
SELECT NOT EXISTS (
    SELECT FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
    WHERE l.locktype = 'transactionid' AND l.granted AND l.mode = 'ExclusiveLock' AND l.pid <> pg_backend_pid()
        AND a.datname = current_database()
        AND coalesce(a.xact_start < clock_timestamp() - make_interval(secs => $1::float8), true)
) AND NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = current_database());
