-- Reads of orders that are archived. No statement here locks anything.

-- name: archived_orders.find
-- $1 names, $2 the id that each name may be, or null. Whose archived orders these are; an id wins over an order number that looks like it.
SELECT n.name, a.order_id, a.user_id
FROM unnest($1::text[], $2::bigint[]) AS n (name, key)
CROSS JOIN LATERAL (
    SELECT order_id, user_id FROM archived_orders WHERE order_id = n.key
    UNION ALL
    SELECT d.order_id, d.user_id FROM order_numbers m CROSS JOIN LATERAL (SELECT order_id, user_id FROM archived_orders WHERE order_id = m.order_id OFFSET 0) AS d
    WHERE m.order_no = n.name
    LIMIT 1
) AS a;

-- name: archived_orders.documents
-- $1 ids of archived orders. Their documents.
SELECT order_id, document::text AS document, archived_at FROM archived_orders WHERE order_id = ANY($1::bigint[]);

-- name: archived_orders.of_users
-- $1 user ids, $2 the order id that each page is below, $3 how many of each at most, $4 whether orders that their user deleted are among them.
-- Returns the place of the page with each document, the newest order first.
SELECT n.place, a.order_id, a.document::text AS document, a.archived_at
FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::boolean[]) WITH ORDINALITY AS n (user_id, below, size, deleted, place)
CROSS JOIN LATERAL (
    SELECT * FROM archived_orders d
    WHERE d.user_id = n.user_id AND d.order_id < n.below AND (n.deleted OR NOT (d.document ->> 'deleted')::boolean)
    ORDER BY d.order_id DESC LIMIT n.size
) AS a
ORDER BY n.place, a.order_id DESC;
