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
-- $1 user ids (locked), $2 since when, $3 how many at most, $4 ids and $6 wrapped forms of new data keys, one for each user, $5 the shop's
-- key that wrapped them. Each member's level and whether it is blocked, when the users' newest orders were accepted, and the user's data key; a user who has none gets the
-- new one, and the row has none. Locks: the new rows; who inserts a key holds the user's lock.
WITH given AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $4::text[], $6::bytea[]) AS a (user_id, key_id, wrapped)
), made AS (
    INSERT INTO user_keys (key_id, user_id, shop_key_id, wrapped)
    SELECT a.key_id, a.user_id, $5::text, a.wrapped
    FROM given a
    WHERE NOT EXISTS (SELECT FROM user_keys k WHERE k.user_id = a.user_id AND k.erased_at IS NULL OFFSET 0)
)
SELECT u.user_id, m.level, coalesce(m.blocked, false) AS blocked,
    ARRAY(SELECT o.created_at FROM orders o
          WHERE o.user_id = u.user_id AND o.created_at > $2
              AND o.id >= first_order_id($2::timestamptz - interval '1 minute') AND o.id < first_order_id(now() + interval '1 minute')
              AND o.state <> 'rejected' AND o.parent_id IS NULL
          ORDER BY o.id DESC LIMIT $3::integer) AS accepted_at,
    k.key_id, k.shop_key_id, k.wrapped
FROM given u
LEFT JOIN members m ON m.user_id = ANY (ARRAY[u.user_id])
LEFT JOIN LATERAL (SELECT * FROM user_keys n WHERE n.user_id = u.user_id AND n.erased_at IS NULL OFFSET 0) AS k ON true;

-- name: users.take_ids
-- $1 user ids. For each, in order, the database's time in ms, a sequence number, and the user's data key if there is one. Locks: none.
SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS at_ms, nextval('id_sequence') AS sequence, k.key_id, k.shop_key_id, k.wrapped
FROM unnest($1::text[]) WITH ORDINALITY AS u (user_id, place)
LEFT JOIN LATERAL (SELECT * FROM user_keys n WHERE n.user_id = u.user_id AND n.erased_at IS NULL OFFSET 0) AS k ON true
ORDER BY u.place;

-- name: users.keys
-- $1 user ids. The data keys of those who have one. Locks: none.
SELECT user_id, key_id, shop_key_id, wrapped FROM user_keys WHERE user_id = ANY($1::text[]) AND erased_at IS NULL;
