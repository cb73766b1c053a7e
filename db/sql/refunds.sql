-- name: refunds.open
-- Inserts one row per refund, unique by (order, cause). A cause that was refunded before, or a failed refund that was replaced before,
-- makes it fail. $11 the numbers of the failed refunds that they replace, or nulls, $12 the states in which they begin, $13 the after-sale
-- cases that follow them, or nulls.
INSERT INTO refunds (id, refund_no, order_id, intent_id, provider, trade_no, cause, amount, currency, reason_code, replaces, state, case_id,
    finished_at)
SELECT n.*, CASE n.state WHEN 'released' THEN clock_timestamp() END
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[],
    $10::text[], $11::text[], $12::text[], $13::bigint[])
    AS n (id, refund_no, order_id, intent_id, provider, trade_no, cause, amount, currency, reason_code, replaces, state, case_id)
RETURNING id;

-- name: refunds.watch
-- $1 refund ids (of this transaction, or their orders are locked), $2 the time until the first poll. Starts a poll timer for
-- each refund whose capture came through an attempt of ours, and returns their ids. A timer that runs gets the new time.
INSERT INTO timers (kind, key, due_at, wake_at)
SELECT 'refund', r.id, clock_timestamp() + $2::interval, clock_timestamp() + $2::interval
FROM refunds r
WHERE r.id = ANY($1::bigint[])
    AND EXISTS (SELECT FROM payment_attempts a WHERE a.provider = r.provider AND a.trade_no = r.trade_no OFFSET 0)
ORDER BY r.id
ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, wake_at = excluded.wake_at, woken_at = NULL, wakes = 0
RETURNING key;

-- name: refunds.insert_lines
-- $1 refund ids, $2 order ids, $3 line numbers, $4 units, $5 amounts.
INSERT INTO refund_lines (refund_id, order_id, line_no, qty, amount)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::integer[], $5::bigint[]);

-- name: refunds.orders_of
-- $1 refund numbers. The order of each. Unknown numbers are missing. Locks: none.
SELECT refund_no, order_id FROM refunds WHERE refund_no = ANY($1::text[]);

-- name: refunds.read
-- $1 refund numbers (their orders are locked). Each refund, when it ended, the number of the one that replaces it, or null, the part of its capture that
-- its order may give back, and what of that part is gone and under way. A failed refund counts for nothing, and nothing counts above the
-- part.
SELECT r.id, r.refund_no, r.order_id, r.intent_id, r.provider, r.trade_no, r.cause, r.amount, r.currency, r.state, r.case_id, r.finished_at,
    (SELECT n.refund_no FROM refunds n WHERE n.replaces = r.refund_no) AS replaced_by,
    coalesce(CASE f.verdict WHEN 'kept' THEN o.payable_amount ELSE f.amount END, 0) AS part, s.gone, s.pending
FROM refunds r
JOIN orders o ON o.id = r.order_id
LEFT JOIN LATERAL (
    SELECT * FROM payment_facts p WHERE p.provider = r.provider AND p.trade_no = r.trade_no AND p.kind = 'captured' OFFSET 0
) AS f ON true
CROSS JOIN LATERAL (
    SELECT coalesce(sum(d.amount - d.excess_amount) FILTER (WHERE d.state IN ('succeeded', 'excess', 'released')), 0)::bigint AS gone,
        coalesce(sum(d.amount) FILTER (WHERE d.state IN ('requested', 'submitted', 'unknown')), 0)::bigint AS pending
    FROM refunds d
    WHERE d.provider = r.provider AND d.trade_no = r.trade_no AND d.order_id = r.order_id
) AS s
WHERE r.refund_no = ANY($1::text[]);

-- name: refunds.captured_for
-- $1 providers, $2 trade numbers. The orders that may give back some of each capture, what of its part is gone and under way: its order,
-- the children of a split order, or several merged orders. Unknown captures are missing. Locks: none; read again once they are locked.
SELECT f.provider, f.trade_no, o.id AS order_id, f.intent_id, f.currency,
    CASE f.verdict WHEN 'kept' THEN o.payable_amount ELSE f.amount END AS part, s.gone, s.pending
FROM unnest($1::text[], $2::text[]) AS k (provider, trade_no)
CROSS JOIN LATERAL (
    SELECT * FROM payment_facts n WHERE n.provider = k.provider AND n.trade_no = k.trade_no AND n.kind = 'captured' OFFSET 0
) AS f
LEFT JOIN payment_intent_orders m ON m.intent_id = ANY (ARRAY[f.intent_id]) AND f.verdict = 'kept'
CROSS JOIN LATERAL (SELECT * FROM orders n WHERE n.id = coalesce(m.order_id, f.order_id) OFFSET 0) AS p
CROSS JOIN LATERAL (
    SELECT p.id, p.payable_amount WHERE f.verdict <> 'kept' OR p.kind <> 'split_parent'
    UNION ALL
    SELECT c.id, c.payable_amount
    FROM orders c
    WHERE c.root_id = p.root_id AND c.root_id <> c.id AND c.parent_id = p.id AND f.verdict = 'kept' AND p.kind = 'split_parent'
) AS o
CROSS JOIN LATERAL (
    SELECT coalesce(sum(d.amount - d.excess_amount) FILTER (WHERE d.state IN ('succeeded', 'excess', 'released')), 0)::bigint AS gone,
        coalesce(sum(d.amount) FILTER (WHERE d.state IN ('requested', 'submitted', 'unknown')), 0)::bigint AS pending
    FROM refunds d
    WHERE d.provider = f.provider AND d.trade_no = f.trade_no AND d.order_id = o.id
) AS s
ORDER BY f.provider, f.trade_no, o.id;

-- name: refunds.foreign
-- $1 providers, $2 trade numbers, $3 numbers of refunds that the providers made by themselves. The amount of each that is in the books.
-- Several orders may share one. Unknown numbers are missing. The orders are locked.
SELECT r.provider, r.trade_no, r.provider_no, sum(r.amount)::bigint AS amount, min(r.currency) AS currency
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (provider, trade_no, provider_no)
CROSS JOIN LATERAL (
    SELECT * FROM refunds n
    WHERE n.provider = k.provider AND n.trade_no = k.trade_no AND n.provider_no = k.provider_no OFFSET 0
) AS r
GROUP BY r.provider, r.trade_no, r.provider_no;

-- name: refunds.take_in
-- $1 ids, $2 refund numbers, $3 order ids (locked), $4 intents, $5 providers, $6 trade numbers, $7 causes, $8 amounts, $9 currencies,
-- $10 reason codes, $11 states, $12 what is above the capture, $13 the providers' numbers, $14 when the money went. Refunds that
-- providers made by themselves; one that is in the books makes it fail.
INSERT INTO refunds (id, refund_no, order_id, intent_id, provider, trade_no, cause, amount, currency, reason_code, state, excess_amount,
    provider_no, finished_at, unexpected)
SELECT n.*, true
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[],
    $10::text[], $11::text[], $12::bigint[], $13::text[], $14::timestamptz[]) AS n;

-- name: refunds.reopen
-- $1 numbers of failed refunds (their orders are locked). They are requested again.
UPDATE refunds SET state = 'requested', unexpected = false, finished_at = NULL
WHERE refund_no = ANY($1::text[]) AND state = 'failed';

-- name: refunds.backlog
-- The number of refunds without a known end, counted up to 100,000, the age of the oldest in seconds, and the number of refunds in
-- excess. Locks: none.
SELECT (SELECT count(*) FROM (SELECT FROM refunds WHERE state IN ('requested', 'submitted', 'unknown') LIMIT 100000) AS counted) AS running,
    coalesce(extract(epoch FROM clock_timestamp() - (SELECT min(requested_at) FROM refunds
        WHERE state IN ('requested', 'submitted', 'unknown'))), 0)::float8 AS oldest_seconds,
    (SELECT count(*) FROM refunds WHERE state = 'excess') AS excess;

-- name: refunds.in_excess
-- $1 how many at most. The refunds that succeeded above what was left of their captures, the oldest first. Locks: none.
SELECT refund_no, order_id, provider, trade_no, provider_no, cause, amount, excess_amount, currency, finished_at
FROM refunds
WHERE state = 'excess'
ORDER BY finished_at
LIMIT $1::integer;

-- name: refunds.finish
-- $1 refund numbers, $2 states, $3 reason codes, $4 what is above the capture, $5 whether this comes after a failure. A success is final.
-- Fewer rows than given: one has succeeded already. Only a refund that has ended gets a time.
UPDATE refunds r
SET state = n.state, reason_code = coalesce(n.reason_code, r.reason_code), excess_amount = n.excess_amount, unexpected = r.unexpected OR n.unexpected,
    finished_at = CASE WHEN n.state IN ('succeeded', 'excess', 'failed') THEN clock_timestamp() END
FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[]) AS n (refund_no, state, reason_code, excess_amount, unexpected)
WHERE r.refund_no = ANY (ARRAY[n.refund_no]) AND r.state NOT IN ('succeeded', 'excess', 'released')
RETURNING r.refund_no;
