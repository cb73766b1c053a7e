-- Which keys encrypt what, and the same under the shop's current key. Each read takes pages of a table by their number, so that it needs
-- no index and a whole table is read once. These tables have one ciphertext in a row, with the id of its key; `bound` names what it is
-- bound to (workers/store/keys.py):
-- each: table=user_keys key=shop_key_id text=wrapped bound=key_id
-- each: table=order_addresses key=key_id text=ciphertext bound=order_id
-- each: table=orders key=remark_key_id text=user_remark bound=id
-- each: table=payment_attempts key=key_id text=details bound=id
-- each: table=free_texts key=key_id text=ciphertext bound=about,type,field,message_id,sender
-- each: table=payment_notifications key=key_id text=notification bound=id
-- each: table=dead_letter_edits key=key_id text=body bound=id
-- each: table=revision_resets key=key_id text=reason bound=kind,id
-- each: table=user_contacts key=key_id text=ciphertext bound=user_id,medium
-- each: table=order_drafts key=key_id text=ciphertext bound=id
-- each: table=order_notes key=key_id text=ciphertext bound=order_id
-- each: table=outbox key=key_id text=body bound=id
-- each: table=outbox_held key=key_id text=body bound=id

-- name: keys.pages
-- $1 a table. How many pages it has; of one with partitions, the largest of them. Locks: none.
SELECT max(pg_relation_size(part)) / current_setting('block_size')::bigint
FROM (SELECT $1::text::regclass AS part UNION ALL SELECT relid FROM pg_partition_tree($1::text::regclass)) AS parts;

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
    SELECT 'dead_letter_edits' AS place, key_id AS key_id FROM dead_letter_edits WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'revision_resets' AS place, key_id AS key_id FROM revision_resets WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'user_contacts' AS place, key_id AS key_id FROM user_contacts WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'order_drafts' AS place, key_id AS key_id FROM order_drafts WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'order_notes' AS place, key_id AS key_id FROM order_notes WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'outbox' AS place, key_id AS key_id FROM outbox WHERE key_id IS NOT NULL
    UNION ALL
    SELECT 'outbox_held' AS place, key_id AS key_id FROM outbox_held WHERE key_id IS NOT NULL
) AS sealed
GROUP BY 1, 2 ORDER BY 1, 2;

-- name: keys.read_{table}
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT tableoid || ' ' || ctid AS place, {bound}, {key} AS old_key_id, {text} AS first
FROM {table}
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND {key} <> $3::text AND {key} NOT LIKE 'u:%' AND {key} <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_{table}
-- $1 places (locked), $2 key ids, $3 ciphertexts.
UPDATE {table} t SET {key} = n.key_id, {text} = n.first
FROM unnest($1::text[], $2::text[], $3::bytea[]) AS n (place, key_id, first)
WHERE t.tableoid = split_part(n.place, ' ', 1)::oid AND t.ctid = split_part(n.place, ' ', 2)::tid;

-- name: keys.read_dead_letters
-- The same where two ciphertexts have one key.
-- $1 the first page, $2 the page after the last, $3 the shop's current key. What another key of the shop encrypts there.
-- Locks: the rows; those that another transaction holds are skipped.
SELECT tableoid || ' ' || ctid AS place, id, key_id AS old_key_id, body AS first, headers AS second
FROM dead_letters
WHERE ctid >= ('(' || $1::bigint || ',0)')::tid AND ctid < ('(' || $2::bigint || ',0)')::tid
    AND key_id <> $3::text AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
FOR UPDATE SKIP LOCKED;

-- name: keys.save_dead_letters
-- $1 places (locked), $2 key ids, $3 ciphertexts, $4 others.
UPDATE dead_letters t SET key_id = n.key_id, body = n.first, headers = n.second
FROM unnest($1::text[], $2::text[], $3::bytea[], $4::bytea[]) AS n (place, key_id, first, second)
WHERE t.tableoid = split_part(n.place, ' ', 1)::oid AND t.ctid = split_part(n.place, ' ', 2)::tid;
