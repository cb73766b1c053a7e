-- name: dead_letters.keep
-- One row per letter; each identity (queue, message id or none, body hash) is given once, with $19 how often this batch has it.
-- Locks: rows that exist, in the order of identities, so that two collectors cannot deadlock. A letter that comes again is opened
-- again, whatever was decided before, with the failure of this time. It returns every letter, and whether it is new: only a row
-- that was there before has been locked (xmax).
INSERT INTO dead_letters AS d (queue, message_id, body_hash, type, correlation_id, reason, error_path, error_type,
    error_message, fingerprint, attempts, exchange, routing_key, origin_user, worker_version, occurred_at, first_failed_at,
    last_failed_at, repeats, key_id, body, headers, about)
SELECT n.queue, n.message_id, n.body_hash, n.type, n.correlation_id, n.reason, n.error_path, n.error_type, n.error_message,
    n.fingerprint, n.attempts, n.exchange, n.routing_key, n.origin_user, n.worker_version, n.occurred_at, n.first_failed_at,
    n.last_failed_at, n.times - 1, n.key_id, n.body, n.headers, string_to_array(n.about, E'\n')
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::integer[], $12::text[], $13::text[], $14::text[], $15::text[], $16::timestamptz[], $17::timestamptz[],
    $18::timestamptz[], $19::integer[], $20::text[], $21::bytea[], $22::bytea[],
    $23::text[])
    AS n (queue, message_id, body_hash, type, correlation_id, reason, error_path, error_type, error_message, fingerprint,
          attempts, exchange, routing_key, origin_user, worker_version, occurred_at, first_failed_at, last_failed_at, times,
          key_id, body, headers, about)
ORDER BY n.queue, coalesce(n.message_id, ''), n.body_hash
ON CONFLICT (queue, coalesce(message_id, ''), body_hash) DO UPDATE
SET repeats = d.repeats + 1 + excluded.repeats,
    state = 'open',
    died_at = CASE d.state WHEN 'open' THEN d.died_at ELSE excluded.died_at END,
    type = excluded.type, correlation_id = excluded.correlation_id, reason = excluded.reason,
    error_path = excluded.error_path, error_type = excluded.error_type, error_message = excluded.error_message,
    fingerprint = excluded.fingerprint, attempts = excluded.attempts, exchange = excluded.exchange,
    routing_key = excluded.routing_key, origin_user = excluded.origin_user, worker_version = excluded.worker_version,
    occurred_at = excluded.occurred_at, first_failed_at = least(d.first_failed_at, excluded.first_failed_at),
    last_failed_at = excluded.last_failed_at, key_id = excluded.key_id, body = excluded.body, headers = excluded.headers,
    about = excluded.about
RETURNING d.queue, coalesce(d.message_id, '') AS message_id, d.body_hash, d.xmax = 0 AS is_new;

-- name: dead_letters.list
-- $1 state, $2 queue, $3 reason, $4 type (null: any), $5 how many. Locks: none. Newest first.
SELECT id, queue, type, reason, error_type, error_path, error_message, fingerprint, attempts, repeats, state, died_at,
    last_failed_at, message_id, correlation_id, origin_user
FROM dead_letters
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR reason = $3)
    AND ($4::text IS NULL OR type = $4)
ORDER BY died_at DESC, id DESC
LIMIT $5;

-- name: dead_letters.count
-- $1 state, $2 queue, $3 reason, $4 type (null: any). Locks: none. How many letters dead_letters.list has without its limit.
SELECT count(*)
FROM dead_letters
WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR queue = $2) AND ($3::text IS NULL OR reason = $3)
    AND ($4::text IS NULL OR type = $4);

-- name: dead_letters.values
-- Locks: none. The queues, reasons and types that any letter has: the broker and strangers have words of their own.
SELECT array_agg(DISTINCT queue) AS queue, array_agg(DISTINCT reason) AS reason,
    array_agg(DISTINCT type) FILTER (WHERE type IS NOT NULL) AS type
FROM dead_letters;

-- name: dead_letters.read
-- $1 ids. Locks: none. Unknown ids are missing.
SELECT * FROM dead_letters WHERE id = ANY ($1::bigint[]) ORDER BY id;

-- name: dead_letters.lock
-- $1 ids. Locks: the letters, in id order. Unknown ids are missing.
SELECT * FROM dead_letters WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE;

-- name: dead_letters.decide
-- $1 ids (locked), $2 new state, $3 action, $4 note, $5 reason. Writes one action per letter, with the user of the session.
WITH decided AS (
    UPDATE dead_letters SET state = $2 WHERE id = ANY ($1::bigint[]) RETURNING id
)
INSERT INTO dead_letter_actions (dead_letter_id, action, note, reason)
SELECT id, $3, $4, $5 FROM decided ORDER BY id;

-- name: dead_letters.actions
-- $1 a letter's id. The decisions about it, oldest first. Locks: none.
SELECT action, actor, note, reason, at FROM dead_letter_actions WHERE dead_letter_id = $1 ORDER BY id;

-- name: dead_letters.open_counts
-- Locks: none. Number and oldest age of the letters that wait for a decision, by queue. Queues without any are missing.
SELECT queue, count(*) AS open, extract(epoch FROM clock_timestamp() - min(died_at))::float8 AS oldest_age_seconds
FROM dead_letters
WHERE state = 'open'
GROUP BY queue;
