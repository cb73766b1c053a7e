-- Which keys encrypt what, and the same under the shop's current key. Each read takes pages of a table by their number, so that it needs
-- no index and a whole table is read once.

-- name: keys.pages
-- $1 a table. How many pages it has. Locks: none.
SELECT pg_relation_size($1::text::regclass) / current_setting('block_size')::bigint;

-- name: keys.status
-- How many ciphertexts of each table each key encrypts; those under keys of users are counted as one. It reads every table. Locks: none.
SELECT place, CASE WHEN key_id LIKE 'u:%' THEN 'users' ELSE key_id END AS key, count(*) AS count
FROM (
    SELECT 'user_keys' AS place, shop_key_id AS key_id FROM user_keys WHERE shop_key_id IS NOT NULL
    UNION ALL
    SELECT 'order_addresses' AS place, key_id AS key_id FROM order_addresses WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'orders' AS place, remark_key_id AS key_id FROM orders WHERE remark_key_id IS NOT NULL
    UNION ALL
    SELECT 'payment_attempts' AS place, key_id AS key_id FROM payment_attempts WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'free_texts' AS place, key_id AS key_id FROM free_texts WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'payment_notifications' AS place, key_id AS key_id FROM payment_notifications WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'dead_letters' AS place, key_id AS key_id FROM dead_letters WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'revision_resets' AS place, key_id AS key_id FROM revision_resets WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'outbox' AS place, key_id AS key_id FROM outbox WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'outbox_held' AS place, key_id AS key_id FROM outbox_held WHERE key_id IS NOT NULL
) AS sealed
GROUP BY 1, 2 ORDER BY 1, 2;

-- name: keys.read_user_keys
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, key_id, shop_key_id AS old_key_id, wrapped AS first
FROM user_keys
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND shop_key_id <> $3::text AND shop_key_id NOT LIKE 'u:%' AND shop_key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_user_keys
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE user_keys t SET shop_key_id = n.key_id, wrapped = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.ctid = n.place::tid;

-- name: keys.read_order_addresses
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, order_id, key_id AS old_key_id, ciphertext AS first
FROM order_addresses
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND key_id <> $3::text AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_order_addresses
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE order_addresses t SET key_id = n.key_id, ciphertext = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.ctid = n.place::tid;

-- name: keys.read_orders
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, id, remark_key_id AS old_key_id, user_remark AS first
FROM orders
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND remark_key_id <> $3::text AND remark_key_id NOT LIKE 'u:%' AND remark_key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_orders
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE orders t SET remark_key_id = n.key_id, user_remark = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.ctid = n.place::tid;

-- name: keys.read_payment_attempts
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, id, key_id AS old_key_id, details AS first
FROM payment_attempts
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND key_id <> $3::text AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_payment_attempts
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE payment_attempts t SET key_id = n.key_id, details = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.ctid = n.place::tid;

-- name: keys.read_free_texts
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, about, type, field, message_id, key_id AS old_key_id, ciphertext AS first
FROM free_texts
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND key_id <> $3::text AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_free_texts
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE free_texts t SET key_id = n.key_id, ciphertext = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.ctid = n.place::tid;

-- name: keys.read_payment_notifications
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, id, key_id AS old_key_id, notification AS first
FROM payment_notifications
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND key_id <> $3::text AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_payment_notifications
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE payment_notifications t SET key_id = n.key_id, notification = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.ctid = n.place::tid;

-- name: keys.read_dead_letters
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, id, key_id AS old_key_id, body AS first, headers AS second
FROM dead_letters
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND key_id <> $3::text AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_dead_letters
-- $1 places (locked), $2 key ids, $3 ciphertexts, $4 others.
UPDATE dead_letters t SET key_id = n.key_id, body = n.first, headers = n.second
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[]) AS n (place, key_id, first, second)
WHERE t.ctid = n.place::tid;

-- name: keys.read_revision_resets
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, kind, id, key_id AS old_key_id, reason AS first
FROM revision_resets
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND key_id <> $3::text AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_revision_resets
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE revision_resets t SET key_id = n.key_id, reason = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.ctid = n.place::tid;

-- name: keys.read_outbox
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, id, key_id AS old_key_id, body AS first
FROM outbox
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND key_id <> $3::text AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_outbox
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE outbox t SET key_id = n.key_id, body = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.ctid = n.place::tid;

-- name: keys.read_outbox_held
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT ctid::text AS place, id, key_id AS old_key_id, body AS first
FROM outbox_held
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND key_id <> $3::text AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_outbox_held
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE outbox_held t SET key_id = n.key_id, body = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.ctid = n.place::tid;
