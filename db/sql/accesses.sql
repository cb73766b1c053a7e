-- Who saw personal data in clear, when and why. The rows are written, and committed, before anything is shown. The user of the session
-- looks, unless a message asks: then a worker names the sender whom the broker has verified. Locks: none but the new rows.

-- name: accesses.of_orders
-- $1 order ids, and for each $2 who looks (on the wire) and $3 whom the message names, $4 why and $5 at what: address, or case for the
-- texts of the order's cases. An unknown order has no row.
-- It returns the orders that have one.
INSERT INTO address_accesses (order_id, what, actor, note, reason)
SELECT o.id, n.what, n.actor, n.note, n.reason
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[]) AS n (order_id, actor, note, reason, what)
CROSS JOIN LATERAL (SELECT id FROM orders WHERE id = n.order_id OFFSET 0) AS o
RETURNING order_id;

-- name: accesses.of_order
-- $1 an order id, $2 a note about the person at the terminal, $3 why, $4 at what: address or case.
INSERT INTO address_accesses (order_id, what, note, reason) VALUES ($1, $4, $2, $3);

-- name: accesses.of_letter
-- $1 the id of a dead letter, $2 a note about the person at the terminal, $3 why.
INSERT INTO address_accesses (dead_letter_id, what, note, reason) VALUES ($1, 'letter', $2, $3);

-- name: accesses.of_user
-- $1 a user id, $2 a note about the person at the terminal, $3 why. Each order with an address has a row too.
INSERT INTO address_accesses (order_id, user_id, what, note, reason)
SELECT n.order_id, n.user_id, 'export', $2::text, $3::text
FROM (
    SELECT NULL::bigint AS order_id, $1::text AS user_id
    UNION ALL
    SELECT a.order_id, NULL FROM orders o JOIN order_addresses a ON a.order_id = o.id WHERE o.user_id = $1::text
) AS n;

-- name: accesses.of_export
-- $1 a user id, $2 whom the message names, $3 why, $4 who looks, $5 whether it is the first part: then each order with an address has
-- a row too.
INSERT INTO address_accesses (order_id, user_id, what, actor, note, reason)
SELECT n.order_id, n.user_id, 'export', $4::text, $2::text, $3::text
FROM (
    SELECT NULL::bigint AS order_id, $1::text AS user_id
    UNION ALL
    SELECT a.order_id, NULL FROM orders o JOIN order_addresses a ON a.order_id = o.id WHERE $5::boolean AND o.user_id = $1::text
) AS n;

-- name: accesses.of_dead_letters
-- $1 ids of dead letters. Who saw them in clear, when and why.
SELECT dead_letter_id, actor, note, reason, at FROM address_accesses WHERE dead_letter_id = ANY($1::bigint[]) ORDER BY at, id;
