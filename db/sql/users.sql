-- name: users.lock
-- $1 user ids. Takes advisory locks until commit, in one order, so that a user's orders are created one after the other.
SELECT pg_advisory_xact_lock(1970302569, key)
FROM (SELECT DISTINCT hashtext(user_id) AS key FROM unnest($1::text[]) AS u (user_id) ORDER BY key) AS k;

-- name: users.lock_and_take_ids
-- $1 user ids, one per new order. Takes the same locks, and returns the database's time in ms and a sequence number per order.
WITH locked AS MATERIALIZED (
    SELECT count(pg_advisory_xact_lock(1970302569, key)) AS n
    FROM (SELECT DISTINCT hashtext(user_id) AS key FROM unnest($1::text[]) AS u (user_id) ORDER BY key) AS k
)
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at_ms, nextval('id_sequence') AS sequence
FROM locked, generate_series(1, cardinality($1::text[])) AS place
ORDER BY place;

-- name: users.read
-- $1 user ids (locked), $2 since when, $3 how many at most. Each user's level, and when their newest orders were accepted.
SELECT u.user_id, m.level,
    ARRAY(SELECT o.created_at FROM orders o
          WHERE o.user_id = u.user_id AND o.created_at > $2 AND o.state <> 'rejected' AND o.parent_id IS NULL
          ORDER BY o.created_at DESC LIMIT $3::integer) AS accepted_at
FROM unnest($1::text[]) AS u (user_id)
LEFT JOIN members m ON m.user_id = u.user_id;
