-- Drafts of orders. Who changes one, or places an order from it, holds the lock of its user (users.lock).

-- name: order_drafts.of_users
-- $1 user ids. Their drafts, those saved last first, with the key of each user. An order that was rejected holds its draft no more.
-- Locks: none.
SELECT d.id, d.user_id, d.revision, d.content::text AS content, d.key_id, d.ciphertext, d.saved_at,
    CASE WHEN (SELECT o.state FROM orders o WHERE o.id = d.order_id) <> 'rejected' THEN d.order_id END AS order_id, k.shop_key_id, k.wrapped
FROM order_drafts d
LEFT JOIN user_keys k ON k.key_id = d.key_id
WHERE d.user_id = ANY($1::text[])
ORDER BY d.user_id, d.saved_at DESC, d.id DESC;

-- name: order_drafts.save
-- $1 draft ids, $2 user ids (locked), $3 revisions, $4 contents as JSON, $5 key ids, $6 ciphertexts, $7 times. Writes one row for each.
INSERT INTO order_drafts (id, user_id, revision, content, key_id, ciphertext, saved_at)
SELECT n.id, n.user_id, n.revision, n.content::jsonb, n.key_id, n.ciphertext, n.saved_at
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::bytea[], $7::timestamptz[])
    AS n (id, user_id, revision, content, key_id, ciphertext, saved_at)
ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, content = excluded.content, key_id = excluded.key_id,
    ciphertext = excluded.ciphertext, saved_at = excluded.saved_at, order_id = NULL;

-- name: order_drafts.delete
-- $1 draft ids (their users are locked). Deletes those that exist.
DELETE FROM order_drafts WHERE id = ANY($1::bigint[]);

-- name: order_drafts.hold
-- $1 draft ids (their users are locked), $2 the orders that are placed from them.
UPDATE order_drafts d SET order_id = n.order_id
FROM unnest($1::bigint[], $2::bigint[]) AS n (id, order_id)
WHERE d.id = n.id;

-- name: order_drafts.remove_ordered
-- $1 order ids (locked), which are created now. Deletes the drafts that they were placed from.
DELETE FROM order_drafts WHERE order_id = ANY($1::bigint[]);
