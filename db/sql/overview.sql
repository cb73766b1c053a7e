-- What the console's overview and oms top read every few seconds, whatever piles up: no count goes on past a limit. Locks: none.

-- name: overview.letters
-- $1 where counting stops. Open letters of each queue, and the age of the oldest; the index is leapt over from queue to queue.
WITH RECURSIVE queues AS (
    (SELECT queue FROM dead_letters WHERE state = 'open' ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT d.queue FROM dead_letters d WHERE d.state = 'open' AND d.queue > q.queue ORDER BY d.queue LIMIT 1)
    FROM queues q WHERE q.queue IS NOT NULL
)
SELECT q.queue, counted.open, extract(epoch FROM clock_timestamp() - oldest.died_at)::float8 AS oldest_age_seconds
FROM queues q
CROSS JOIN LATERAL (
    SELECT count(*) AS open FROM (SELECT FROM dead_letters WHERE state = 'open' AND queue = q.queue LIMIT $1::int) AS capped
) AS counted
CROSS JOIN LATERAL (
    SELECT died_at FROM dead_letters WHERE state = 'open' AND queue = q.queue ORDER BY died_at LIMIT 1
) AS oldest
ORDER BY counted.open DESC, q.queue;

-- name: overview.outbox
-- $1 where counting stops. Rows that wait, held ones too, the age of the oldest, streams held, and live relays.
SELECT (SELECT count(*)
        FROM (SELECT FROM outbox_shards s CROSS JOIN LATERAL (SELECT FROM outbox w WHERE w.shard = s.shard AND w.id > f.floor) AS one
              LIMIT $1::int) AS capped)
           + (SELECT count(*) FROM (SELECT FROM outbox_held LIMIT $1::int) AS capped) AS pending,
       coalesce(extract(epoch FROM clock_timestamp() - least(
           (SELECT min(head.created_at)
            FROM outbox_shards s
            CROSS JOIN LATERAL (SELECT created_at FROM outbox WHERE shard = s.shard AND id > f.floor ORDER BY id LIMIT 1) AS head),
           (SELECT created_at FROM outbox_held ORDER BY id LIMIT 1))), 0)::float8 AS oldest_age_seconds,
       (SELECT count(*) FROM (SELECT FROM outbox_holds LIMIT $1::int) AS capped) AS held_streams,
       (SELECT count(*) FROM outbox_relays WHERE live_until >= clock_timestamp()) AS relays
FROM outbox_floor f WHERE f.only_row;

-- name: overview.timers
-- $1 where counting stops. Timers that run, and by how many seconds the sweeper is late for the next one.
SELECT (SELECT count(*) FROM (SELECT FROM timers LIMIT $1::int) AS counted) AS running,
    greatest(extract(epoch FROM clock_timestamp() - (SELECT min(wake_at) FROM timers)), 0)::float8 AS lag_seconds;
