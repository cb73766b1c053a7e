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
