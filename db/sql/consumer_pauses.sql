-- Queues from which no worker takes messages because a person wants it. A row is in the database of its queue.

-- name: consumer_pauses.queues
-- Locks: none. The paused queues.
SELECT queue FROM consumer_pauses ORDER BY queue;

-- name: consumer_pauses.list
-- Locks: none. The pauses, and for how long each has lasted.
SELECT queue, actor, note, reason, since, extract(epoch FROM clock_timestamp() - since)::float8 AS lasted_seconds
FROM consumer_pauses ORDER BY queue;

-- name: consumer_pauses.pause
-- $1 queues, $2 who is at the terminal, $3 why. Returns those that were not paused before; the others stay as they are.
INSERT INTO consumer_pauses (queue, note, reason) SELECT queue, $2, $3 FROM unnest($1::text[]) AS n (queue) ORDER BY queue
ON CONFLICT (queue) DO NOTHING
RETURNING queue;

-- name: consumer_pauses.resume
-- $1 queues. Returns those that were paused.
DELETE FROM consumer_pauses WHERE queue = ANY ($1::text[]) RETURNING queue;
