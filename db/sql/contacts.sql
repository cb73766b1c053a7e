-- name: contacts.save
-- $1 user ids (locked), $2 media, $3 key ids, $4 ciphertexts, $5 languages, $6 enabled, $7 begins and $8 ends of quiet hours, $9 their time
-- zones, $10 opt-outs, joined by line ends. Writes one row for each user and medium.
INSERT INTO user_contacts (user_id, medium, key_id, ciphertext, language, enabled, quiet_begin, quiet_until, time_zone, opt_outs)
SELECT n.user_id, n.medium, n.key_id, n.ciphertext, n.language, n.enabled, n.quiet_begin, n.quiet_until, n.time_zone,
    string_to_array(n.opt_outs, E'\n')
FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::boolean[], $7::text[], $8::text[], $9::text[], $10::text[])
    AS n (user_id, medium, key_id, ciphertext, language, enabled, quiet_begin, quiet_until, time_zone, opt_outs)
ON CONFLICT (user_id, medium) DO UPDATE SET key_id = excluded.key_id, ciphertext = excluded.ciphertext, language = excluded.language,
    enabled = excluded.enabled, quiet_begin = excluded.quiet_begin, quiet_until = excluded.quiet_until, time_zone = excluded.time_zone,
    opt_outs = excluded.opt_outs, changed_at = clock_timestamp();

-- name: contacts.remove
-- $1 user ids (locked), $2 media. Deletes the contacts that exist.
DELETE FROM user_contacts c
USING unnest($1::text[], $2::text[]) AS n (user_id, medium)
WHERE c.user_id = n.user_id AND c.medium = n.medium;

-- name: contacts.of_users
-- $1 user ids. Their contacts, with the key of each user; a key that was erased is null. Locks: none.
SELECT c.user_id, c.medium, c.key_id, c.ciphertext, c.language, c.enabled, c.quiet_begin, c.quiet_until, c.time_zone, c.opt_outs,
    k.shop_key_id, k.wrapped
FROM user_contacts c LEFT JOIN user_keys k ON k.key_id = c.key_id
WHERE c.user_id = ANY($1::text[])
ORDER BY c.user_id, c.medium;
