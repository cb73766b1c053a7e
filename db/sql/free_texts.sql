-- name: free_texts.insert
-- $1 what each is about, $2 message types, $3 fields, $4 message ids, $5 keys of their senders, in ascending order of these, $6 key ids,
-- $7 ciphertexts. A text that is there already stays. Locks: none but the new rows.
INSERT INTO free_texts (about, type, field, message_id, sender, key_id, ciphertext)
SELECT n.about, n.type, n.field, n.message_id, n.sender, n.key_id, n.ciphertext
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bytea[])
    WITH ORDINALITY AS n (about, type, field, message_id, sender, key_id, ciphertext, place)
ORDER BY n.place
ON CONFLICT DO NOTHING;
