-- Reads for the queries about after-sale cases. No statement here locks anything.

-- name: after_sale_queries.find
-- $1 names, $2 the id that each name may be, or null. The cases and their orders; an id wins over a case number that looks like it.
SELECT n.name, c.id, c.order_id
FROM unnest($1::text[], $2::bigint[]) AS n (name, key)
CROSS JOIN LATERAL (
    SELECT id, order_id FROM after_sales WHERE case_no = n.name OR id = n.key ORDER BY id = n.key DESC NULLS LAST LIMIT 1
) AS c;

-- name: after_sale_queries.newest
-- One element of each array for each state of a page: $1 states, $2 pages, $3 types (empty: all), $4 from and $5 before when the cases were
-- requested, $6 the time and $7 the id of the last case of the page before, $8 how many. Returns page and case id, the newest first.
SELECT q.page AS place, f.id
FROM unnest($1::text[], $2::integer[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::integer[])
    AS q (state, page, type, since, before, last_at, last_id, size)
CROSS JOIN LATERAL (
    SELECT c.id, c.requested_at
    FROM after_sales c
    WHERE c.state = q.state AND (q.type = '' OR c.type = q.type) AND c.requested_at >= q.since AND c.requested_at < q.before
        AND (c.requested_at, c.id) < (q.last_at, q.last_id)
    ORDER BY c.requested_at DESC, c.id DESC
    LIMIT q.size
) AS f
ORDER BY q.page, f.requested_at DESC, f.id DESC;

-- name: after_sale_queries.waiting
-- The same with the oldest first.
SELECT q.page AS place, f.id
FROM unnest($1::text[], $2::integer[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::integer[])
    AS q (state, page, type, since, before, last_at, last_id, size)
CROSS JOIN LATERAL (
    SELECT c.id, c.requested_at
    FROM after_sales c
    WHERE c.state = q.state AND (q.type = '' OR c.type = q.type) AND c.requested_at >= q.since AND c.requested_at < q.before
        AND (c.requested_at, c.id) > (q.last_at, q.last_id)
    ORDER BY c.requested_at, c.id
    LIMIT q.size
) AS f
ORDER BY q.page, f.requested_at, f.id;

-- name: after_sale_queries.of_orders
-- One element of each array for each page: $1 user ids (empty: of any user), $2 order ids (0: all orders of the user), $3 states with commas
-- between them, $4 types (empty: all), $5 from and $6 before when the cases were requested. A split order has the cases of its children.
SELECT q.place, c.id, c.requested_at
FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[])
    WITH ORDINALITY AS q (user_id, order_id, states, type, since, before, place)
CROSS JOIN LATERAL (
    SELECT r.id FROM orders r WHERE q.order_id = 0 AND r.user_id = q.user_id
    UNION ALL
    SELECT r.id FROM orders r WHERE r.id = q.order_id AND (q.user_id = '' OR r.user_id = q.user_id)
    UNION ALL
    SELECT r.id FROM orders r WHERE r.root_id = q.order_id AND r.root_id <> r.id AND (q.user_id = '' OR r.user_id = q.user_id)
) AS o
JOIN after_sales c ON c.order_id = o.id
WHERE c.state = ANY(string_to_array(q.states, ',')) AND (q.type = '' OR c.type = q.type)
    AND c.requested_at >= q.since AND c.requested_at < q.before;

-- name: after_sale_queries.summaries
-- $1 case ids. What a list shows of each, with its newest exchange order.
SELECT c.id AS case_id, c.case_no, c.order_id, o.order_no, o.user_id, o.currency, c.type, c.source, c.reason_code, c.state, c.version,
    (SELECT sum(l.qty) FROM after_sale_lines l WHERE l.case_id = c.id) AS units, coalesce(c.refund_amount, c.granted_amount) AS amount,
    c.requested_at, c.processed_at, c.completed_at, e.order_id AS exchange_id, e.order_no AS exchange_no, e.state AS exchange_state,
    e.created_at AS exchange_at
FROM after_sales c JOIN orders o ON o.id = c.order_id
LEFT JOIN LATERAL (
    SELECT x.order_id, r.order_no, r.state, r.created_at
    FROM (SELECT order_id FROM exchange_orders n WHERE n.case_id = c.id OFFSET 0) AS x
    CROSS JOIN LATERAL (SELECT order_no, state, created_at FROM orders n WHERE n.id = x.order_id OFFSET 0) AS r
    ORDER BY x.order_id DESC
    LIMIT 1
) AS e ON true
WHERE c.id = ANY($1::bigint[]);

-- name: after_sale_queries.texts
-- $1 order ids as text, $2 types of messages. What people wrote in such messages, as ciphertext, with the user's data key unless that was
-- erased.
SELECT t.about, t.type, t.field, t.message_id, t.sender, t.key_id, t.ciphertext, k.shop_key_id, k.wrapped
FROM free_texts t LEFT JOIN user_keys k ON k.key_id = t.key_id
WHERE t.about = ANY($1::text[]) AND t.type = ANY($2::text[]);
