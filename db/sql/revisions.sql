-- name: revisions.log
-- $1 kinds of entries, $2 ids, $3 revisions before, $4 after, $5 broker users, $6 key ids and $7 ciphertexts of the reasons.
INSERT INTO revision_resets (kind, id, previous, revision, by_user, key_id, reason)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::bytea[]);
