-- name: members.lock_revisions
-- $1 user ids. The stored revisions. Locks: the members, in id order. Unknown ids are missing.
SELECT user_id AS id, revision FROM members WHERE user_id = ANY($1::text[]) ORDER BY user_id FOR UPDATE;

-- name: members.upsert
-- $1 user ids, $2 revisions, $3 levels, $4 who is blocked; in id order. Returns the users whose revision is above the
-- stored one.
INSERT INTO members AS m (user_id, revision, level, blocked)
SELECT n.user_id, n.revision, n.level, n.blocked
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::boolean[]) AS n (user_id, revision, level, blocked)
ORDER BY n.user_id
ON CONFLICT (user_id) DO UPDATE
SET revision = excluded.revision, level = excluded.level, blocked = excluded.blocked, updated_at = clock_timestamp()
WHERE m.revision < excluded.revision
RETURNING user_id;

-- name: members.reset_revisions
-- $1 ids (locked), $2 their revisions from now on, also below the stored ones.
UPDATE members e
SET revision = n.revision, updated_at = clock_timestamp()
FROM unnest($1::text[], $2::bigint[]) AS n (id, revision)
WHERE e.user_id = n.id;
