-- What people look for among dead letters. Each filter that is null lets all pass: $1 state, $2 queues, $3 types, $4 reasons, $5 error
-- types, $6 groups (a fingerprint, or the reason of letters without one), $7 worker versions, $8 died since and $9 until, $10 message ids,
-- $11 correlation ids, $12 users and orders that the body names, or $13 correlation ids of these orders, $14 least and $15 most attempts,
-- $16 ids. PostgreSQL plans each call for its own values, so a filter that is null costs nothing.

-- name: dead_letter_lists.find
-- $17 how many. Locks: none. Newest first.
SELECT id, queue, type, reason, error_type, error_path, error_message, fingerprint, attempts, repeats, state, died_at,
    last_failed_at, message_id, correlation_id, origin_user, worker_version
FROM dead_letters
WHERE ($1::text IS NULL OR state = $1)
    AND ($2::text[] IS NULL OR queue = ANY ($2))
    AND ($3::text[] IS NULL OR type = ANY ($3))
    AND ($4::text[] IS NULL OR reason = ANY ($4))
    AND ($5::text[] IS NULL OR error_type = ANY ($5))
    AND ($6::text[] IS NULL OR fingerprint = ANY ($6) OR fingerprint IS NULL AND reason = ANY ($6))
    AND ($7::text[] IS NULL OR worker_version = ANY ($7))
    AND ($8::timestamptz IS NULL OR died_at >= $8)
    AND ($9::timestamptz IS NULL OR died_at < $9)
    AND ($10::text[] IS NULL OR message_id = ANY ($10))
    AND ($11::text[] IS NULL OR correlation_id = ANY ($11))
    AND ($12::text[] IS NULL OR about && $12 OR correlation_id = ANY ($13::text[]))
    AND ($14::integer IS NULL OR attempts >= $14)
    AND ($15::integer IS NULL OR attempts <= $15)
    AND ($16::bigint[] IS NULL OR id = ANY ($16))
ORDER BY died_at DESC, id DESC
LIMIT $17;

-- name: dead_letter_lists.ids
-- $17 how many. Locks: none. In the order in which it happened, as it is replayed.
SELECT id
FROM dead_letters
WHERE ($1::text IS NULL OR state = $1)
    AND ($2::text[] IS NULL OR queue = ANY ($2))
    AND ($3::text[] IS NULL OR type = ANY ($3))
    AND ($4::text[] IS NULL OR reason = ANY ($4))
    AND ($5::text[] IS NULL OR error_type = ANY ($5))
    AND ($6::text[] IS NULL OR fingerprint = ANY ($6) OR fingerprint IS NULL AND reason = ANY ($6))
    AND ($7::text[] IS NULL OR worker_version = ANY ($7))
    AND ($8::timestamptz IS NULL OR died_at >= $8)
    AND ($9::timestamptz IS NULL OR died_at < $9)
    AND ($10::text[] IS NULL OR message_id = ANY ($10))
    AND ($11::text[] IS NULL OR correlation_id = ANY ($11))
    AND ($12::text[] IS NULL OR about && $12 OR correlation_id = ANY ($13::text[]))
    AND ($14::integer IS NULL OR attempts >= $14)
    AND ($15::integer IS NULL OR attempts <= $15)
    AND ($16::bigint[] IS NULL OR id = ANY ($16))
ORDER BY coalesce(occurred_at, died_at), id
LIMIT $17;

-- name: dead_letter_lists.count
-- Locks: none. How many letters there are.
SELECT count(*)
FROM dead_letters
WHERE ($1::text IS NULL OR state = $1)
    AND ($2::text[] IS NULL OR queue = ANY ($2))
    AND ($3::text[] IS NULL OR type = ANY ($3))
    AND ($4::text[] IS NULL OR reason = ANY ($4))
    AND ($5::text[] IS NULL OR error_type = ANY ($5))
    AND ($6::text[] IS NULL OR fingerprint = ANY ($6) OR fingerprint IS NULL AND reason = ANY ($6))
    AND ($7::text[] IS NULL OR worker_version = ANY ($7))
    AND ($8::timestamptz IS NULL OR died_at >= $8)
    AND ($9::timestamptz IS NULL OR died_at < $9)
    AND ($10::text[] IS NULL OR message_id = ANY ($10))
    AND ($11::text[] IS NULL OR correlation_id = ANY ($11))
    AND ($12::text[] IS NULL OR about && $12 OR correlation_id = ANY ($13::text[]))
    AND ($14::integer IS NULL OR attempts >= $14)
    AND ($15::integer IS NULL OR attempts <= $15)
    AND ($16::bigint[] IS NULL OR id = ANY ($16));

-- name: dead_letter_lists.groups
-- Locks: none. How many letters failed alike, and when. Without filters on what the index does not have it reads no letter. The hour is computed once, not for each.
SELECT fingerprint, queue, type, reason, error_type, worker_version, count(*) AS count,
    count(*) FILTER (WHERE died_at > (SELECT now() - interval '1 hour')) AS last_hour, min(died_at) AS oldest, max(died_at) AS newest
FROM dead_letters
WHERE ($1::text IS NULL OR state = $1)
    AND ($2::text[] IS NULL OR queue = ANY ($2))
    AND ($3::text[] IS NULL OR type = ANY ($3))
    AND ($4::text[] IS NULL OR reason = ANY ($4))
    AND ($5::text[] IS NULL OR error_type = ANY ($5))
    AND ($6::text[] IS NULL OR fingerprint = ANY ($6) OR fingerprint IS NULL AND reason = ANY ($6))
    AND ($7::text[] IS NULL OR worker_version = ANY ($7))
    AND ($8::timestamptz IS NULL OR died_at >= $8)
    AND ($9::timestamptz IS NULL OR died_at < $9)
    AND ($10::text[] IS NULL OR message_id = ANY ($10))
    AND ($11::text[] IS NULL OR correlation_id = ANY ($11))
    AND ($12::text[] IS NULL OR about && $12 OR correlation_id = ANY ($13::text[]))
    AND ($14::integer IS NULL OR attempts >= $14)
    AND ($15::integer IS NULL OR attempts <= $15)
    AND ($16::bigint[] IS NULL OR id = ANY ($16))
GROUP BY fingerprint, queue, type, reason, error_type, worker_version;

-- name: dead_letter_lists.orders
-- $1 ids and $2 numbers of orders, $3 user ids. The orders that they lead to, with their conversations. Locks: none.
SELECT id, conversation_id FROM orders WHERE id = ANY ($1::bigint[])
UNION
SELECT id, conversation_id FROM orders WHERE id = ANY (ARRAY(SELECT n.order_id FROM order_numbers n WHERE n.order_no = ANY ($2::text[])))
UNION
SELECT id, conversation_id FROM orders WHERE user_id = ANY ($3::text[]);

-- name: dead_letter_lists.history
-- $1 a database user or a note (null: any), $2 since when (null: ever), $3 action (null: any), $4 how many. Locks: none. Who did what to which
-- letters, the newest first: decisions, notes about groups, and looks at personal data.
SELECT at, action, actor, note, reason, dead_letter_id, group_name
FROM (
    (SELECT at, action, actor, note, reason, dead_letter_id, NULL AS group_name FROM dead_letter_actions
     WHERE ($1::text IS NULL OR $1 IN (actor, note)) AND ($2::timestamptz IS NULL OR at >= $2) AND ($3::text IS NULL OR action = $3)
     ORDER BY at DESC LIMIT $4)
    UNION ALL
    (SELECT at, 'reveal', actor, note, reason, dead_letter_id, NULL FROM address_accesses
     WHERE dead_letter_id IS NOT NULL AND ($1::text IS NULL OR $1 IN (actor, note)) AND ($2::timestamptz IS NULL OR at >= $2)
        AND ($3::text IS NULL OR $3 = 'reveal')
     ORDER BY at DESC LIMIT $4)
    UNION ALL
    (SELECT at, 'note', actor, note, text, NULL, group_name FROM dead_letter_notes
     WHERE ($1::text IS NULL OR $1 IN (actor, note)) AND ($2::timestamptz IS NULL OR at >= $2) AND ($3::text IS NULL OR $3 = 'note')
     ORDER BY at DESC LIMIT $4)
) AS done
ORDER BY at DESC
LIMIT $4;
