-- name: timers.start
-- $1 kinds, $2 keys, $3 due, $4 when the sweeper sends timer.due (later than due if the broker sends it first).
INSERT INTO timers (kind, key, due_at, wake_at)
SELECT * FROM unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::timestamptz[])
ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, wake_at = excluded.wake_at, woken_at = NULL, wakes = 0;

-- name: timers.stop
-- $1 kinds, $2 keys. Deletes the timers that exist.
DELETE FROM timers t USING unnest($1::text[], $2::bigint[]) AS k (kind, key)
WHERE t.kind = ANY (ARRAY[k.kind]) AND t.key = ANY (ARRAY[k.key]);

-- name: timers.change
-- $1 kinds and $2 keys of the timers to stop; then those to start, which are others: $3 kinds, $4 keys, $5 due, $6 when the sweeper
-- sends timer.due.
WITH stopped AS (
    DELETE FROM timers t USING unnest($1::text[], $2::bigint[]) AS k (kind, key)
    WHERE t.kind = ANY (ARRAY[k.kind]) AND t.key = ANY (ARRAY[k.key])
)
INSERT INTO timers (kind, key, due_at, wake_at)
SELECT * FROM unnest($3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, wake_at = excluded.wake_at, woken_at = NULL, wakes = 0;

-- name: timers.read
-- $1 kinds, $2 keys (their orders are locked). Timers that do not run are missing.
SELECT t.kind, t.key, t.due_at FROM unnest($1::text[], $2::bigint[]) AS k (kind, key)
JOIN timers t ON t.kind = ANY (ARRAY[k.kind]) AND t.key = ANY (ARRAY[k.key]);

-- name: timers.sweep
-- $1 how many, $2 how many seconds to look back. Takes the timers that are due and sets when to send timer.due again, each time later
-- (at most 5 minutes). It skips rows that another sweeper holds. It uses now() and not clock_timestamp(), because only a stable bound
-- can use the index. A look at the last minute does not pass the dead entries of all timers before, which an old transaction keeps.
-- The rows are chosen once: as a plain subquery they may be chosen again for each row that is joined, and then $1 is no limit.
WITH due AS MATERIALIZED (
    SELECT kind, key FROM timers WHERE wake_at <= now() AND wake_at > now() - make_interval(secs => $2::float8)
    ORDER BY wake_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE timers t
SET woken_at = clock_timestamp(), wakes = t.wakes + 1, wake_at = clock_timestamp() + make_interval(secs => least(2 ^ least(t.wakes, 9), 300))
FROM due
WHERE t.kind = ANY (ARRAY[due.kind]) AND t.key = ANY (ARRAY[due.key])
RETURNING t.kind, t.key, t.due_at;

-- name: timers.postpone
-- $1 kinds, $2 keys, $3 when to send timer.due again, but never before a timer is due.
UPDATE timers t SET wake_at = greatest(t.due_at, $3::timestamptz), wakes = 0
FROM unnest($1::text[], $2::bigint[]) AS k (kind, key)
WHERE t.kind = ANY (ARRAY[k.kind]) AND t.key = ANY (ARRAY[k.key]);

-- name: timers.back_off
-- $1 kinds, $2 keys. timer.due is sent again in a minute, or in half the time that the timer has been due, but within an hour. It
-- skips rows that another transaction holds, because that transaction starts them anew or stops them.
UPDATE timers t
SET wake_at = clock_timestamp() + greatest(interval '1 min', least((clock_timestamp() - t.due_at) / 2, interval '1 h'))
FROM (SELECT s.kind, s.key
      FROM (SELECT * FROM unnest($1::text[], $2::bigint[]) AS k (kind, key) ORDER BY kind, key) AS k
      CROSS JOIN LATERAL (
          SELECT n.kind, n.key FROM timers n WHERE n.kind = k.kind AND n.key = k.key FOR UPDATE SKIP LOCKED OFFSET 0
      ) AS s) AS k
WHERE t.kind = ANY (ARRAY[k.kind]) AND t.key = ANY (ARRAY[k.key]);

-- name: timers.payment_due
-- $1 how many seconds to look back. Whether a payment timer, or that of a group, is due and waits for payment results to catch up, and the database's
-- time. Such a timer is woken within seconds (the broker's grace or a postponement), so the index finds it among all timers; one that
-- was overdue for longer is in the range again once the sweeper has woken it.
WITH recent AS MATERIALIZED ( -- by wake_at, not by kind: most timers are payment timers
    SELECT kind, due_at FROM timers WHERE wake_at <= now() + interval '6 s' AND wake_at > now() - make_interval(secs => $1::float8)
)
SELECT clock_timestamp() AS now, EXISTS (
    SELECT FROM recent r, progress p
    WHERE r.kind IN ('payment', 'group') AND r.due_at <= now() AND p.queue = 'payment-results' AND r.due_at > p.at) AS waiting;

-- name: timers.backlog
-- The number of timers, counted up to 100,000, and by how many seconds the sweeper is late for the next one. Locks: none.
SELECT (SELECT count(*) FROM (SELECT FROM timers LIMIT 100000) AS counted) AS running,
    greatest(extract(epoch FROM clock_timestamp() - (SELECT min(wake_at) FROM timers)), 0)::float8 AS lag_seconds;

-- name: timers.progress
-- The time up to which payment results are handled. Locks: none.
SELECT at FROM progress WHERE queue = 'payment-results';

-- name: timers.set_progress
-- $1 the new time. It never moves back.
UPDATE progress SET at = $1::timestamptz WHERE queue = 'payment-results' AND at < $1::timestamptz;

-- name: timers.chosen
-- $1 a kind, $2 keys. The timers that run, with the database's time, each with when it is due and when timer.due is sent again. Locks: them.
SELECT key, due_at, wake_at AS next_wake, wakes, due_at <= clock_timestamp() AS due, clock_timestamp() AS now
FROM timers WHERE kind = $1 AND key = ANY ($2::bigint[]) ORDER BY key FOR UPDATE;

-- name: timers.fire
-- $1 a kind, $2 keys (locked). The sweeper sends timer.due for them now.
UPDATE timers SET wake_at = clock_timestamp(), wakes = 0 WHERE kind = $1 AND key = ANY ($2::bigint[]);

-- name: timers.cancel
-- $1 a kind, $2 keys (locked).
DELETE FROM timers WHERE kind = $1 AND key = ANY ($2::bigint[]);
