-- Reads for the queries about disputes. No statement here locks anything.

-- name: dispute_queries.find
-- $1 numbers of disputes at their providers. The disputes with these numbers; unknown numbers are missing.
SELECT d.dispute_no, d.provider, d.id FROM payment_disputes d WHERE d.dispute_no = ANY($1::text[]) ORDER BY d.provider;

-- name: dispute_queries.newest
-- One element of each array for each state of a page: $1 states, $2 pages, $3 before when they have to be answered (null: all), $4 the time
-- and $5 the id of the last dispute of the page before, $6 how many. Returns page and dispute id, those whose state changed last first.
SELECT q.page AS place, f.id
FROM unnest($1::text[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::integer[])
    AS q (state, page, due_before, last_at, last_id, size)
CROSS JOIN LATERAL (
    SELECT d.id, d.occurred_at
    FROM payment_disputes d
    WHERE d.state = q.state AND (q.due_before IS NULL OR d.due_at < q.due_before) AND (d.occurred_at, d.id) < (q.last_at, q.last_id)
    ORDER BY d.occurred_at DESC, d.id DESC
    LIMIT q.size
) AS f
ORDER BY q.page, f.occurred_at DESC, f.id DESC;

-- name: dispute_queries.due
-- The same with the nearest date first; disputes without a date are left out.
SELECT q.page AS place, f.id
FROM unnest($1::text[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::bigint[], $6::integer[])
    AS q (state, page, due_before, last_at, last_id, size)
CROSS JOIN LATERAL (
    SELECT d.id, d.due_at
    FROM payment_disputes d
    WHERE d.state = q.state AND d.due_at < coalesce(q.due_before, 'infinity') AND (d.due_at, d.id) > (q.last_at, q.last_id)
    ORDER BY d.due_at, d.id
    LIMIT q.size
) AS f
ORDER BY q.page, f.due_at, f.id;

-- name: dispute_queries.of_orders
-- One element of each array for each page: $1 order ids, $2 states with commas between them, $3 before when they have to be answered (null:
-- all). The disputes of the captures that paid the orders, also those of merged orders and of the parent.
SELECT q.place, d.id, d.occurred_at, d.due_at
FROM unnest($1::bigint[], $2::text[], $3::timestamptz[]) WITH ORDINALITY AS q (order_id, states, due_before, place)
CROSS JOIN LATERAL (
    SELECT f.provider, f.trade_no FROM payment_facts f WHERE f.order_id = q.order_id AND f.kind = 'captured'
    UNION
    SELECT f.provider, f.trade_no
    FROM orders o JOIN payment_facts f ON f.intent_id = o.intent_id AND f.kind = 'captured' AND f.verdict = 'kept'
    WHERE o.id = q.order_id
) AS c
JOIN payment_disputes d ON d.provider = c.provider AND d.trade_no = c.trade_no
WHERE d.state = ANY(string_to_array(q.states, ',')) AND (q.due_before IS NULL OR d.due_at < q.due_before);

-- name: dispute_queries.summaries
-- $1 dispute ids. What lists and screens show of each, and when people are reminded of it.
SELECT d.id AS dispute_id, d.provider, d.dispute_no, d.trade_no, d.state, d.amount, d.currency, d.reason_code, d.occurred_at, d.recorded_at,
    d.due_at, (SELECT count(*) FROM dispute_evidence e WHERE e.dispute_id = d.id) AS submissions,
    (SELECT t.due_at FROM timers t WHERE t.kind = 'dispute' AND t.key = d.id) AS reminder_at
FROM payment_disputes d
WHERE d.id = ANY($1::bigint[]);

-- name: dispute_queries.evidence
-- $1 dispute ids. What was submitted against them, in its order.
SELECT dispute_id, number, evidence::text AS evidence, message_id, actor_id, submitted_at, state, reason_code
FROM dispute_evidence WHERE dispute_id = ANY($1::bigint[]) ORDER BY dispute_id, number;
