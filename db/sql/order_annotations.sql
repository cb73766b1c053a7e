-- name: order_annotations.commented
-- $1 order ids (locked). Those that have a comment.
SELECT id FROM orders WHERE id = ANY($1::bigint[]) AND commented;

-- name: order_annotations.mark_commented
-- $1 order ids (locked). They have a comment from now on.
UPDATE orders SET commented = true WHERE id = ANY($1::bigint[]);

-- name: order_annotations.change_remarks
-- $1 order ids (locked), $2 key ids, $3 ciphertexts; both are null where the remark is removed.
UPDATE orders o SET remark_key_id = n.key_id, user_remark = n.ciphertext
FROM unnest($1::bigint[], $2::text[], $3::bytea[]) AS n (id, key_id, ciphertext)
WHERE o.id = n.id;

-- name: order_annotations.save_notes
-- $1 order ids (locked), $2 key ids, $3 ciphertexts, $4 ids of the operators, $5 when. Writes one row for each order.
INSERT INTO order_notes (order_id, key_id, ciphertext, actor_id, changed_at)
SELECT n.order_id, n.key_id, n.ciphertext, n.actor_id, $5::timestamptz
FROM unnest($1::bigint[], $2::text[], $3::bytea[], $4::text[]) AS n (order_id, key_id, ciphertext, actor_id)
ON CONFLICT (order_id) DO UPDATE SET key_id = excluded.key_id, ciphertext = excluded.ciphertext, actor_id = excluded.actor_id,
    changed_at = excluded.changed_at;

-- name: order_annotations.remove_notes
-- $1 order ids (locked). Deletes the notes that exist.
DELETE FROM order_notes WHERE order_id = ANY($1::bigint[]);

-- name: order_annotations.notes
-- $1 order ids. The notes of those that have one, with the user's data key unless that was erased. Locks: none.
SELECT n.order_id, n.key_id, n.ciphertext, k.shop_key_id, k.wrapped
FROM order_notes n LEFT JOIN user_keys k ON k.key_id = n.key_id
WHERE n.order_id = ANY($1::bigint[]);
