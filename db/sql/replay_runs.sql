-- name: replay_runs.create
-- $1 selection, $2 letters a minute, $3 letters of the canary, $4 seconds that it is waited for, $5 least success in percent, $6 letters of
-- one order at once, $7 whether each has one try, $8 reason, $9 note. Returns the id.
INSERT INTO replay_runs (selection, rate_per_minute, canary, canary_wait_seconds, success_min_percent, per_order, one_try, reason, note,
    canary_passed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $3 = 0)
RETURNING id;

-- name: replay_runs.add
-- $1 run, $2 places, $3 letters, $4 queues, $5 planned states, $6 planned repeats, $7 message ids, $8 scopes and $9 request ids of commands.
-- Returns the letters that are as planned; others are missing. Locks: none.
INSERT INTO replay_run_letters (run_id, place, dead_letter_id, queue, order_key, planned_state, repeats, message_id, scope, request_id)
SELECT $1, n.place, d.id, n.queue, (SELECT a FROM unnest(d.about) AS a WHERE a LIKE 'order:%' LIMIT 1), n.state, n.repeats, n.message_id,
    n.scope, n.request_id
FROM unnest($2::integer[], $3::bigint[], $4::text[], $5::text[], $6::integer[], $7::text[], $8::text[], $9::text[])
    AS n (place, id, queue, state, repeats, message_id, scope, request_id)
JOIN dead_letters d ON d.id = n.id AND d.state = n.state AND d.repeats = n.repeats
RETURNING dead_letter_id;

-- name: replay_runs.list
-- $1 how many. The newest runs. Locks: none.
SELECT * FROM replay_runs ORDER BY id DESC LIMIT $1;

-- name: replay_runs.read
-- $1 a run. Locks: none.
SELECT * FROM replay_runs WHERE id = $1;

-- name: replay_runs.lock
-- $1 a run. Locks: its row, so that who pauses it and who sends wait for each other.
SELECT * FROM replay_runs WHERE id = $1 FOR UPDATE;

-- name: replay_runs.own
-- $1 a run. True if this session may send it: one process at a time. The right ends with the session, also if the process is killed.
SELECT pg_try_advisory_lock(hashtext('replay_runs'), $1::integer);

-- name: replay_runs.disown
-- $1 a run, which this session owns. Another may send it from now on, before the session ends.
SELECT pg_advisory_unlock(hashtext('replay_runs'), $1::integer);

-- name: replay_runs.set_state
-- $1 run (locked), $2 state, $3 why.
UPDATE replay_runs SET state = $2, why = $3, changed_at = clock_timestamp() WHERE id = $1;

-- name: replay_runs.pass_canary
-- $1 run (locked).
UPDATE replay_runs SET canary_passed = true WHERE id = $1;

-- name: replay_runs.begin_canary
-- $1 run (locked), whose next letters are judged by themselves.
UPDATE replay_runs SET canary_passed = canary = 0, canary_since = clock_timestamp() WHERE id = $1;

-- name: replay_runs.next
-- $1 run, $2 how many, $3 how many of one order may be under way. The letters to send now, in order. Locks: none.
WITH waiting AS (
    SELECT place, dead_letter_id, queue, order_key, planned_state, repeats, message_id, row_number() OVER (PARTITION BY order_key ORDER BY place) AS nth
    FROM replay_run_letters
    WHERE run_id = $1 AND sent_at IS NULL AND outcome IS NULL
), under_way AS (
    SELECT order_key, count(*) AS letters
    FROM replay_run_letters
    WHERE run_id = $1 AND sent_at IS NOT NULL AND outcome IS NULL AND order_key IS NOT NULL
    GROUP BY order_key
)
SELECT w.place, w.dead_letter_id, w.queue, w.planned_state, w.repeats, w.message_id
FROM waiting w
LEFT JOIN under_way u ON u.order_key = w.order_key
WHERE w.order_key IS NULL OR w.nth + coalesce(u.letters, 0) <= $3
ORDER BY w.place
LIMIT $2;

-- name: replay_runs.mark_sent
-- $1 run, $2 places, $3 message ids.
UPDATE replay_run_letters l SET sent_at = clock_timestamp(), message_id = n.message_id
FROM unnest($2::integer[], $3::text[]) AS n (place, message_id)
WHERE l.run_id = $1 AND l.place = n.place;

-- name: replay_runs.leave_out
-- $1 run, $2 places, $3 why.
UPDATE replay_run_letters l SET outcome = 'left_out', code = n.why, settled_at = clock_timestamp()
FROM unnest($2::integer[], $3::text[]) AS n (place, why)
WHERE l.run_id = $1 AND l.place = n.place;

-- name: replay_runs.unsent
-- $1 run. The letters that it has not sent yet, in order. Locks: none.
SELECT dead_letter_id FROM replay_run_letters WHERE run_id = $1 AND sent_at IS NULL AND outcome IS NULL ORDER BY place;

-- name: replay_runs.settle
-- $1 run. Notes what became of each letter that was sent, once it is known. Locks: the rows that it changes.
UPDATE replay_run_letters l SET outcome = k.outcome, code = k.code, settled_at = clock_timestamp()
FROM known_replay_outcomes k
WHERE l.run_id = $1 AND l.sent_at IS NOT NULL AND l.outcome IS NULL AND k.run_id = $1 AND k.place = l.place AND k.outcome IS NOT NULL;

-- name: replay_runs.counts
-- $1 run. How many letters there are, and of those sent since this canary began how many are good, bad or without outcome. Locks: none.
SELECT count(*) AS total,
    count(*) FILTER (WHERE l.sent_at IS NULL AND l.outcome IS NULL) AS unsent,
    count(*) FILTER (WHERE l.sent_at IS NOT NULL AND l.outcome IS NULL) AS under_way,
    count(*) FILTER (WHERE l.outcome = 'worked') AS worked,
    count(*) FILTER (WHERE l.outcome = 'refused') AS refused,
    count(*) FILTER (WHERE l.outcome = 'died_again') AS died_again,
    count(*) FILTER (WHERE l.outcome = 'handled_before') AS handled_before,
    count(*) FILTER (WHERE l.outcome = 'left_out') AS left_out,
    count(*) FILTER (WHERE l.sent_at >= r.canary_since) AS judged,
    count(*) FILTER (WHERE l.sent_at >= r.canary_since AND l.outcome IN ('worked', 'handled_before')) AS good,
    count(*) FILTER (WHERE l.sent_at >= r.canary_since AND l.outcome IN ('refused', 'died_again')) AS bad
FROM replay_runs r LEFT JOIN known_replay_outcomes l ON l.run_id = r.id
WHERE r.id = $1
GROUP BY r.id;

-- name: replay_runs.outcomes
-- $1 run. What became of its letters, by queue and code, with the first ids. Locks: none.
SELECT l.outcome, l.code, l.queue, d.type, count(*) AS letters, (array_agg(d.id ORDER BY l.place))[1:5] AS first_ids
FROM known_replay_outcomes l JOIN dead_letters d ON d.id = l.dead_letter_id
WHERE l.run_id = $1 AND (l.sent_at IS NOT NULL OR l.outcome IS NOT NULL)
GROUP BY l.outcome, l.code, l.queue, d.type
ORDER BY count(*) DESC, l.queue, l.outcome;

-- name: replay_runs.letters
-- $1 run, $2 how many, or NULL for all. Its letters, in order. Locks: none.
SELECT dead_letter_id AS id, queue, message_id, sent_at, outcome, code, settled_at FROM known_replay_outcomes WHERE run_id = $1 ORDER BY place
LIMIT $2;

-- name: replay_runs.of_letter
-- $1 a letter. The runs that replayed it, and what became of it. Locks: none.
SELECT l.run_id, r.at, r.actor, r.note, r.reason, l.sent_at, l.outcome, l.code
FROM replay_run_letters l JOIN replay_runs r ON r.id = l.run_id
WHERE l.dead_letter_id = $1
ORDER BY l.run_id;
