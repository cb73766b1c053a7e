-- Reads for the queries about orders. No statement here locks anything.

-- name: order_queries.of_users
-- One element of each array per page: $1 user ids, $2 whether deleted orders are shown, $3 from and $4 before when they were
-- created, $5 what their ids are below, $6 how many. Returns place in the arrays and order id, the newest first. Ids grow with time, so
-- they are the order: months are read from the newest on, until the page is full; months to come and those before $3 are left out. An
-- order is created some ms before its id is made, 10 minutes at most, but for imported orders that are older than their ids.
SELECT q.place, o.id
FROM unnest($1::text[], $2::boolean[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::integer[])
    WITH ORDINALITY AS q (user_id, with_deleted, since, before, below, size, place)
CROSS JOIN LATERAL (
    SELECT r.id
    FROM orders r
    WHERE r.user_id = q.user_id AND r.parent_id IS NULL AND (q.with_deleted OR NOT r.deleted)
        AND r.created_at >= q.since AND r.created_at < q.before AND r.id >= first_order_id(q.since - interval '10 minutes')
        AND r.id < q.below AND r.id < first_order_id(now() + interval '1 minute')
    ORDER BY r.id DESC
    LIMIT q.size
) AS o
ORDER BY q.place, o.id DESC;

-- name: order_queries.of_user_states
-- The same for orders in some states: $1 states (one for each element; a page of several states has as many elements), $2 the page of
-- each element, by which the rows are sorted, $3 user ids, $4 whether deleted orders are shown, $5 to $8 as $3 to $6 of of_users.
SELECT q.page AS place, o.id
FROM unnest($1::text[], $2::integer[], $3::text[], $4::boolean[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::integer[])
    AS q (state, page, user_id, with_deleted, since, before, below, size)
CROSS JOIN LATERAL (
    SELECT r.id
    FROM orders r
    WHERE r.user_id = q.user_id AND r.state = q.state AND r.parent_id IS NULL AND (q.with_deleted OR NOT r.deleted)
        AND r.created_at >= q.since AND r.created_at < q.before AND r.id >= first_order_id(q.since - interval '10 minutes')
        AND r.id < q.below AND r.id < first_order_id(now() + interval '1 minute')
    ORDER BY r.id DESC
    LIMIT q.size
) AS o
ORDER BY q.page, o.id DESC;

-- name: order_queries.of_all
-- The same for orders of all users in any state: $1 from and $2 before when they were created, $3 what their ids are below, $4 how many.
SELECT q.place, o.id
FROM unnest($1::timestamptz[], $2::timestamptz[], $3::bigint[], $4::integer[]) WITH ORDINALITY AS q (since, before, below, size, place)
CROSS JOIN LATERAL (
    SELECT r.id
    FROM orders r
    WHERE r.parent_id IS NULL
        AND r.created_at >= q.since AND r.created_at < q.before AND r.id >= first_order_id(q.since - interval '10 minutes')
        AND r.id < q.below AND r.id < first_order_id(now() + interval '1 minute')
    ORDER BY r.id DESC
    LIMIT q.size
) AS o
ORDER BY q.place, o.id DESC;

-- name: order_queries.of_states
-- Orders of all users, $1 states (one for each element; a page of several states has as many elements), and $2 the page of each element,
-- by which the rows are sorted, $3 from when they were created, $4 and $5 the time and id that they come before, $6 how many. Those that
-- were created at the time of the last are read, too, and sorted by id. One comparison and no bound of the id: the planner takes two of
-- each for a few rows, and sorts all.
SELECT q.page AS place, o.id
FROM unnest($1::text[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::integer[])
    AS q (state, page, since, before, before_id, size)
CROSS JOIN LATERAL (
    SELECT t.id, t.created_at
    FROM (
        SELECT r.id, r.created_at
        FROM orders r
        WHERE r.state = q.state AND r.parent_id IS NULL AND r.created_at >= q.since AND (r.created_at, r.id) < (q.before, q.before_id)
        ORDER BY r.created_at DESC
        FETCH FIRST (q.size) ROWS WITH TIES) AS t
    ORDER BY t.created_at DESC, t.id DESC
    LIMIT q.size
) AS o
ORDER BY q.page, o.created_at DESC, o.id DESC;

-- name: order_queries.of_user_skus
-- $1 SKU ids, then $2 to $7 as $1 to $6 of of_users, $8 states with commas between them (empty: all). Orders of the user with a line of the
-- SKU, of their own or of a child, whose id is less than a day from theirs.
SELECT q.place, o.id
FROM unnest($1::text[], $2::text[], $3::boolean[], $4::timestamptz[], $5::timestamptz[], $6::bigint[], $7::integer[], $8::text[])
    WITH ORDINALITY AS q (sku_id, user_id, with_deleted, since, before, below, size, states, place)
CROSS JOIN LATERAL (
    SELECT r.id
    FROM orders r
    WHERE r.user_id = q.user_id AND r.parent_id IS NULL AND (q.with_deleted OR NOT r.deleted)
        AND (q.states = '' OR r.state = ANY(string_to_array(q.states, ',')))
        AND r.created_at >= q.since AND r.created_at < q.before AND r.id >= first_order_id(q.since - interval '10 minutes')
        AND r.id < q.below AND r.id < first_order_id(now() + interval '1 minute')
        AND EXISTS (
            SELECT FROM order_items l
            WHERE l.sku_id = q.sku_id AND l.order_id > r.id - (86400000::bigint << 22) AND l.order_id < r.id + (86400000::bigint << 22)
                AND l.order_id = ANY(r.id || ARRAY(
                    SELECT c.id FROM orders c
                    WHERE c.root_id = r.id AND c.root_id <> c.id AND c.id > r.id - (86400000::bigint << 22)
                        AND c.id < r.id + (86400000::bigint << 22))))
    ORDER BY r.id DESC
    LIMIT q.size
) AS o
ORDER BY q.place, o.id DESC;

-- name: order_queries.of_skus
-- $1 SKU ids, $2 user ids (empty: all users), $3 whether deleted orders are shown, $4 states with commas between them (empty: all), $5
-- from and $6 before when they were created, $7 what their ids are below, $8 how many. Orders with a line of the SKU; of a split order
-- the child that carries it. Ids grow with time, so they are the order.
SELECT q.place, o.id
FROM unnest($1::text[], $2::text[], $3::boolean[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bigint[], $8::integer[])
    WITH ORDINALITY AS q (sku_id, user_id, with_deleted, states, since, before, below, size, place)
CROSS JOIN LATERAL (
    SELECT DISTINCT i.order_id AS id
    FROM order_items i CROSS JOIN LATERAL (SELECT * FROM orders n WHERE n.id = i.order_id OFFSET 0) AS r
    WHERE i.sku_id = q.sku_id AND i.order_id >= first_order_id(q.since - interval '10 minutes') AND i.order_id < q.below
        AND (q.user_id = '' OR r.user_id = q.user_id)
        AND (q.with_deleted OR NOT r.deleted) AND (q.states = '' OR r.state = ANY(string_to_array(q.states, ',')))
        AND r.created_at >= q.since AND r.created_at < q.before
    ORDER BY i.order_id DESC
    LIMIT q.size
) AS o
ORDER BY q.place, o.id DESC;

-- name: order_queries.named
-- Root orders by the names that others have for them: $1 kinds (trade_no, tracking_no, order_no, request_id), $2 names, then $3 to $8 as
-- $2 to $7 of of_skus, of the page that the name belongs to; $9 the SKU of which the order has a line (empty: any). A trade number is
-- the provider's, or the one that we gave to it. A shop's own payment service is a provider under a name that it chose, so the names are
-- read, each as the next one after the last in the index.
WITH RECURSIVE providers AS (
    SELECT min(provider) AS provider FROM payment_facts
    UNION ALL
    SELECT (SELECT min(f.provider) FROM payment_facts f WHERE f.provider > p.provider) FROM providers p WHERE p.provider IS NOT NULL
)
SELECT DISTINCT q.place, o.id
FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bigint[], $9::text[])
    WITH ORDINALITY AS q (kind, name, user_id, with_deleted, states, since, before, below, sku_id, place)
CROSS JOIN LATERAL (
    SELECT f.order_id AS id FROM payment_facts f
    WHERE q.kind = 'trade_no' AND f.provider = ANY(ARRAY(SELECT provider FROM providers)) AND f.trade_no = q.name
    UNION ALL
    SELECT a.order_id FROM payment_attempts a WHERE q.kind = 'trade_no' AND a.out_trade_no = q.name
    UNION ALL
    SELECT i.order_id FROM shipments s JOIN shipment_items i ON i.shipment_id = s.id
    WHERE q.kind = 'tracking_no' AND s.tracking_no = q.name
    UNION ALL
    SELECT n.order_id FROM order_numbers n WHERE q.kind = 'order_no' AND n.order_no = q.name
    UNION ALL
    SELECT c.order_id FROM commands c
    WHERE q.kind = 'request_id' AND c.scope = 'order.create:' || q.user_id AND c.request_id = q.name
) AS found
JOIN orders r ON r.id = found.id
JOIN orders o ON o.id = r.root_id
WHERE (q.user_id = '' OR o.user_id = q.user_id) AND (q.with_deleted OR NOT o.deleted)
    AND (q.states = '' OR o.state = ANY(string_to_array(q.states, ',')))
    AND o.created_at >= q.since AND o.created_at < q.before AND o.id < q.below
    AND (q.sku_id = '' OR EXISTS (
        SELECT FROM order_items l
        WHERE l.sku_id = q.sku_id
            AND l.order_id = ANY(o.id || ARRAY(SELECT c.id FROM orders c WHERE c.root_id = o.id AND c.root_id <> c.id))))
ORDER BY q.place, o.id DESC;

-- name: order_queries.summaries
-- $1 order ids, $2 and $3 bounds of them. What a list shows of each. The lines of a split order are those of its children.
SELECT o.id AS order_id, o.order_no, o.user_id, o.state, o.version, o.channel, o.currency, o.payable_amount, o.created_at, o.paid_at,
    o.shipped_at, o.delivered_at, o.held, o.deleted, i.lines, i.units, i.first_line
FROM orders o
CROSS JOIN LATERAL (
    SELECT count(*) AS lines, coalesce(sum(l.qty), 0) AS units, (array_agg(l.name ORDER BY l.line_no))[1] AS first_line
    FROM order_items l
    WHERE l.order_id > o.id - (86400000::bigint << 22) AND l.order_id < o.id + (86400000::bigint << 22)
        AND l.order_id = ANY(o.id || ARRAY(
            SELECT c.id FROM orders c
            WHERE c.root_id = o.id AND c.root_id <> c.id AND c.id > o.id - (86400000::bigint << 22) AND c.id < o.id + (86400000::bigint << 22)))
) AS i
WHERE o.id BETWEEN $2::bigint AND $3::bigint AND o.id = ANY($1::bigint[]);

-- name: order_queries.attempts
-- $1 order ids. Their attempts to pay, oldest first, without the encrypted details.
SELECT order_id, id, provider, scene, amount, currency, state, reason_code, started_at, expire_at
FROM payment_attempts WHERE order_id = ANY($1::bigint[]) ORDER BY started_at, id;

-- name: order_queries.facts
-- $1 shipment ids. What carriers reported, in the order of its happening.
SELECT shipment_id, status, place, occurred_at, stale
FROM shipment_facts WHERE shipment_id = ANY($1::bigint[]) ORDER BY shipment_id, occurred_at, recorded_at;

-- name: order_queries.stamps
-- $1 order ids, $2 and $3 bounds of the ids of their families. Version, user and stamp of each; unknown ids are missing. A stamp changes
-- with every row that order.get, order.track, order.history or payment.get shows of the order, of its children, of its parent and of the
-- exchange orders of its cases: xmin is the transaction that wrote a row. The log is written with the order's own row.
WITH family AS (
    SELECT o.id AS named_id, o.id FROM orders o WHERE o.id BETWEEN $2::bigint AND $3::bigint AND o.id = ANY($1::bigint[])
    UNION ALL
    SELECT c.root_id, c.id FROM orders c
    WHERE c.id BETWEEN $2::bigint AND $3::bigint AND c.root_id = ANY($1::bigint[]) AND c.root_id <> c.id
    UNION ALL
    SELECT c.id, c.parent_id FROM orders c
    WHERE c.id BETWEEN $2::bigint AND $3::bigint AND c.id = ANY($1::bigint[]) AND c.parent_id IS NOT NULL
), parcels AS (
    SELECT DISTINCT i.order_id, i.shipment_id FROM shipment_items i
    WHERE i.order_id BETWEEN $2::bigint AND $3::bigint AND i.order_id = ANY(ARRAY(SELECT id FROM family))
), disputed AS (
    SELECT f.order_id AS id, f.provider, f.trade_no FROM payment_facts f WHERE f.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION
    SELECT o.id, f.provider, f.trade_no FROM orders o JOIN payment_facts f ON f.intent_id = o.intent_id AND f.verdict = 'kept'
    WHERE o.id BETWEEN $2::bigint AND $3::bigint AND o.id = ANY($1::bigint[])
        AND f.intent_id = ANY(ARRAY(SELECT r.intent_id FROM orders r WHERE r.id BETWEEN $2::bigint AND $3::bigint AND r.id = ANY($1::bigint[])))
), written AS (
    SELECT t.id, t.xmin, t.ctid FROM orders t WHERE t.id BETWEEN $2::bigint AND $3::bigint AND t.id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT t.order_id, t.xmin, t.ctid FROM order_items t
    WHERE t.order_id BETWEEN $2::bigint AND $3::bigint AND t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT t.order_id, t.xmin, t.ctid FROM order_snapshots t
    WHERE t.order_id BETWEEN $2::bigint AND $3::bigint AND t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL SELECT t.order_id, t.xmin, t.ctid FROM payment_facts t WHERE t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT o.id, t.xmin, t.ctid FROM orders o JOIN payment_facts t ON t.intent_id = o.intent_id AND t.verdict = 'kept'
    WHERE o.id BETWEEN $2::bigint AND $3::bigint AND o.id = ANY($1::bigint[])
        AND t.intent_id = ANY(ARRAY(SELECT r.intent_id FROM orders r WHERE r.id BETWEEN $2::bigint AND $3::bigint AND r.id = ANY($1::bigint[])))
    UNION ALL SELECT t.order_id, t.xmin, t.ctid FROM order_notes t WHERE t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL SELECT t.order_id, t.xmin, t.ctid FROM payment_attempts t WHERE t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL SELECT t.order_id, t.xmin, t.ctid FROM payment_authorizations t WHERE t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL SELECT t.order_id, t.xmin, t.ctid FROM refunds t WHERE t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT c.id, t.xmin, t.ctid FROM disputed c CROSS JOIN LATERAL (
        SELECT d.xmin, d.ctid FROM payment_disputes d WHERE d.provider = c.provider AND d.trade_no = c.trade_no
        UNION ALL
        SELECT e.xmin, e.ctid FROM payment_disputes d JOIN dispute_evidence e ON e.dispute_id = d.id
        WHERE d.provider = c.provider AND d.trade_no = c.trade_no) AS t
    UNION ALL SELECT t.order_id, t.xmin, t.ctid FROM after_sales t WHERE t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT c.order_id, t.xmin, t.ctid FROM after_sales c JOIN after_sale_lines t ON t.case_id = c.id
    WHERE c.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT c.order_id, t.xmin, t.ctid FROM after_sales c JOIN after_sale_steps t ON t.case_id = c.id
    WHERE c.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT c.order_id, t.xmin, t.ctid FROM after_sales c JOIN after_sale_send_backs t ON t.case_id = c.id
    WHERE c.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT c.order_id, t.xmin, t.ctid
    FROM after_sales c
    CROSS JOIN LATERAL (SELECT order_id FROM exchange_orders x WHERE x.case_id = c.id OFFSET 0) AS e
    CROSS JOIN LATERAL (SELECT r.xmin, r.ctid FROM orders r WHERE r.id = e.order_id OFFSET 0) AS t
    WHERE c.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT t.order_id, t.xmin, t.ctid FROM shipment_items t
    WHERE t.order_id BETWEEN $2::bigint AND $3::bigint AND t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL SELECT p.order_id, t.xmin, t.ctid FROM parcels p JOIN shipments t ON t.id = p.shipment_id
    WHERE t.id = ANY(ARRAY(SELECT shipment_id FROM parcels))
    UNION ALL SELECT p.order_id, t.xmin, t.ctid FROM parcels p JOIN shipment_facts t ON t.shipment_id = p.shipment_id
    WHERE t.shipment_id = ANY(ARRAY(SELECT shipment_id FROM parcels))
    UNION ALL SELECT t.order_id, t.xmin, t.ctid FROM order_holds t WHERE t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT t.order_id, t.xmin, t.ctid FROM fulfilments t
    WHERE t.order_id BETWEEN $2::bigint AND $3::bigint AND t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL SELECT t.holder_id, t.xmin, t.ctid FROM stock_holders t WHERE t.holder_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT t.order_id, t.xmin, t.ctid FROM order_addresses t
    WHERE t.order_id BETWEEN $2::bigint AND $3::bigint AND t.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT n.order_id, t.xmin, t.ctid FROM order_notes n JOIN user_keys t ON t.key_id = n.key_id
    WHERE n.order_id = ANY(ARRAY(SELECT id FROM family))
    UNION ALL
    SELECT a.order_id, t.xmin, t.ctid FROM order_addresses a JOIN user_keys t ON t.key_id = a.key_id
    WHERE a.order_id BETWEEN $2::bigint AND $3::bigint AND a.order_id = ANY(ARRAY(SELECT id FROM family))
), stamps AS (
    SELECT f.named_id, count(*) || ':' || sum(hashtextextended(w.xmin::text || w.ctid::text, 0)) AS stamp
    FROM family f JOIN written w ON w.id = f.id
    GROUP BY f.named_id
)
SELECT o.id, o.version, o.user_id, s.stamp FROM stamps s JOIN orders o ON o.id = s.named_id
WHERE o.id BETWEEN $2::bigint AND $3::bigint AND o.id = ANY($1::bigint[]);
