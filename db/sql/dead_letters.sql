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

-- name: dead_letters.reopen
-- $1 ids of letters whose replays died, in order, $2 reasons, $3 error paths, $4 error types, $5 error messages, $6 fingerprints, $7 attempts,
-- $8 worker versions, $9 times, $10 key ids, $11 headers. Returns the letters; those that were erased or deleted are missing. Body and headers
-- have one key: headers that another key encrypts are not taken. Locks: the letters, in order of ids.
UPDATE dead_letters d
SET repeats = d.repeats + 1,
    state = 'open',
    died_at = CASE d.state WHEN 'open' THEN d.died_at ELSE clock_timestamp() END,
    reason = n.reason, error_path = n.error_path, error_type = n.error_type, error_message = n.error_message, fingerprint = n.fingerprint,
    attempts = n.attempts, worker_version = n.worker_version, last_failed_at = n.last_failed_at,
    headers = CASE d.key_id WHEN n.key_id THEN n.headers ELSE d.headers END
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::integer[], $8::text[], $9::timestamptz[],
    $10::text[], $11::bytea[])
    AS n (id, reason, error_path, error_type, error_message, fingerprint, attempts, worker_version, last_failed_at, key_id, headers)
WHERE d.id = n.id AND d.key_id <> 'erased'
RETURNING d.id;

-- name: dead_letters.ids_of
-- $1 queues, $2 message ids (empty: none), $3 hashes of bodies. Locks: none. The letters with these identities.
SELECT d.id, d.queue, coalesce(d.message_id, '') AS message_id, d.body_hash
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (queue, message_id, body_hash)
JOIN dead_letters d ON d.queue = n.queue AND coalesce(d.message_id, '') = n.message_id AND d.body_hash = n.body_hash;

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

-- name: dead_letters.add_edit
-- $1 a letter (locked), $2 key id, $3 body, $4 whom it names, $5 note, $6 reason. The letter then names these too. Returns the id.
WITH named AS (
    UPDATE dead_letters SET about = ARRAY(SELECT DISTINCT a FROM unnest(about || $4::text[]) AS a) WHERE id = $1
)
INSERT INTO dead_letter_edits (dead_letter_id, key_id, body, note, reason) VALUES ($1, $2, $3, $5, $6) RETURNING id;

-- name: dead_letters.newest_edits
-- $1 ids of letters. Locks: none. The newest edit of each that has one.
SELECT DISTINCT ON (dead_letter_id) dead_letter_id, id, key_id, body
FROM dead_letter_edits
WHERE dead_letter_id = ANY ($1::bigint[])
ORDER BY dead_letter_id, id DESC;

-- name: dead_letters.edits
-- $1 a letter. Locks: none. Its edits, the oldest first.
SELECT id, key_id, body, actor, note, reason, at FROM dead_letter_edits WHERE dead_letter_id = $1 ORDER BY id;

-- name: dead_letters.add_note
-- $1 a group, $2 text, $3 note about the person.
INSERT INTO dead_letter_notes (group_name, text, note) VALUES ($1, $2, $3);

-- name: dead_letters.notes
-- $1 groups. Locks: none. Their notes, the oldest first.
SELECT group_name, text, actor, note, at FROM dead_letter_notes WHERE group_name = ANY ($1::text[]) ORDER BY id;

-- name: dead_letters.actions
-- $1 a letter's id. The decisions about it, oldest first. Locks: none.
SELECT action, actor, note, reason, at FROM dead_letter_actions WHERE dead_letter_id = $1 ORDER BY id;

-- name: dead_letters.steps_since
-- $1 a letter. Locks: none. The orders that it names: their state, and their steps since it died.
WITH letter AS MATERIALIZED (
    SELECT about, coalesce(first_failed_at, died_at) AS since FROM dead_letters WHERE id = $1
)
SELECT o.id AS order_id, o.order_no, o.state, l.cur_state AS step, l.at, l.cause_type AS because
FROM orders o
LEFT JOIN LATERAL (
    SELECT cur_state, at, cause_type, version
    FROM operate_logs
    WHERE order_id = o.id AND at >= (SELECT since FROM letter)
    ORDER BY version
    LIMIT 20
) AS l ON true
WHERE o.id = ANY(ARRAY(SELECT substr(a, 7)::bigint FROM letter, unnest(about) AS a WHERE a ~ '^order:[0-9]{1,18}$'))
ORDER BY o.id, l.version;

-- name: dead_letters.others
-- $1 a letter. Locks: none. What else died of the orders that it names and of its conversation, the newest first.
SELECT o.id, o.queue, o.type, o.reason, o.state, o.died_at
FROM dead_letters d
JOIN LATERAL (
    SELECT n.id FROM dead_letters n
    WHERE n.about && ARRAY(SELECT a FROM unnest(d.about) AS a WHERE a LIKE 'order:%')
    UNION
    SELECT n.id FROM dead_letters n WHERE n.correlation_id = d.correlation_id
) AS f ON true
JOIN dead_letters o ON o.id = f.id
WHERE d.id = $1 AND o.id <> $1
ORDER BY o.died_at DESC
LIMIT 50;

-- name: dead_letters.actor
-- The user of the session, who decides. Locks: none.
SELECT session_user;

-- name: dead_letters.open_counts
-- Locks: none. Number and oldest age of the letters that wait for a decision, by queue. Queues without any are missing.
SELECT queue, count(*) AS open, extract(epoch FROM clock_timestamp() - min(died_at))::float8 AS oldest_age_seconds
FROM dead_letters
WHERE state = 'open'
GROUP BY queue;
