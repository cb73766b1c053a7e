-- name: payment_authorizations.record
-- Inserts the authorisations of attempts, whose orders are locked. A second one of an attempt, or a second kept one of an order, fails.
INSERT INTO payment_authorizations (attempt_id, order_id, provider, authorization_no, amount, currency, verdict, state, authorized_at, expire_at)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[],
    $9::timestamptz[], $10::timestamptz[]);

-- name: payment_authorizations.read
-- $1 attempt ids. Their authorisations, and what of each is not wanted any more. Attempts without one are missing. Locks: none; their
-- orders are locked where they are to be changed.
SELECT a.attempt_id, a.order_id, a.provider, a.authorization_no, a.amount, a.currency, a.verdict, a.state, a.capture_amount, a.captures,
    a.trade_no, a.reason_code, a.authorized_at, a.renewed_at, a.expire_at, a.not_taken_at, r.released
FROM payment_authorizations a
CROSS JOIN LATERAL (
    SELECT coalesce(sum(r.amount), 0)::bigint AS released
    FROM (SELECT a.order_id AS id UNION ALL SELECT c.id FROM orders c WHERE c.root_id = a.order_id AND c.root_id <> c.id) AS o
    CROSS JOIN LATERAL (SELECT * FROM refunds n WHERE n.order_id = o.id AND n.state IN ('released', 'deferred') OFFSET 0) AS r
    WHERE a.verdict = 'kept'
) AS r
WHERE a.attempt_id = ANY($1::bigint[]);

-- name: payment_authorizations.orders_of
-- $1 attempt ids. The order that each authorisation pays. Locks: none, because it never changes.
SELECT attempt_id, order_id FROM payment_authorizations WHERE attempt_id = ANY($1::bigint[]);

-- name: payment_authorizations.kept
-- $1 root order ids (locked). The authorisation that pays each, and what of it is not wanted any more.
SELECT a.attempt_id, a.order_id, a.provider, a.authorization_no, a.amount, a.currency, a.verdict, a.state, a.capture_amount, a.captures,
    a.trade_no, a.reason_code, a.authorized_at, a.renewed_at, a.expire_at, a.not_taken_at, r.released
FROM payment_authorizations a
CROSS JOIN LATERAL (
    SELECT coalesce(sum(r.amount), 0)::bigint AS released
    FROM (SELECT a.order_id AS id UNION ALL SELECT c.id FROM orders c WHERE c.root_id = a.order_id AND c.root_id <> c.id) AS o
    CROSS JOIN LATERAL (SELECT * FROM refunds n WHERE n.order_id = o.id AND n.state IN ('released', 'deferred') OFFSET 0) AS r
) AS r
WHERE a.order_id = ANY($1::bigint[]) AND a.verdict = 'kept';

-- name: payment_authorizations.goods_wanted
-- $1 root order ids (locked). Those of which a warehouse was requested to send goods, or handed them over, or goods are in a parcel, or its
-- carrier is to book one. Locks: none.
SELECT k.root_id
FROM unnest($1::bigint[]) AS k (root_id)
WHERE EXISTS (
    SELECT FROM (SELECT k.root_id AS id UNION ALL SELECT c.id FROM orders c WHERE c.root_id = k.root_id AND c.root_id <> c.id) AS o
    CROSS JOIN LATERAL (
        SELECT f.order_id FROM fulfilments f WHERE f.order_id = o.id AND f.state NOT IN ('refused', 'withdrawn')
        UNION ALL
        SELECT i.order_id FROM shipment_items i JOIN shipments s ON s.id = i.shipment_id
        WHERE i.order_id = o.id AND NOT i.withdrawn AND s.state <> 'cancelled' AND s.case_id IS NULL
        UNION ALL
        SELECT w.order_id FROM waybills w WHERE w.order_ids && ARRAY[o.id] AND w.state = 'requested'
        OFFSET 0
    ) AS g);

-- name: payment_authorizations.save
-- $1 attempt ids (their orders are locked), and what can change of their authorisations.
UPDATE payment_authorizations a
SET state = n.state, authorization_no = n.authorization_no, capture_amount = n.capture_amount, captures = n.captures,
    trade_no = n.trade_no, reason_code = n.reason_code, renewed_at = n.renewed_at, expire_at = n.expire_at, not_taken_at = n.not_taken_at,
    updated_at = clock_timestamp()
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::integer[], $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[],
        $10::timestamptz[])
    AS n (attempt_id, state, authorization_no, capture_amount, captures, trade_no, reason_code, renewed_at, expire_at, not_taken_at)
WHERE a.attempt_id = ANY (ARRAY[n.attempt_id]);

-- name: payment_authorizations.end_releases
-- $1 root order ids (locked), $2 numbers of captures, $3 whether the capture took what is deferred, $4 whether it took what is released.
-- From now on the parts draw on the capture (empty: there is none); those that it took are refunds which are requested now.
WITH parts AS (
    SELECT b.id, b.state AS before, n.trade_no,
        (n.deferred_taken AND b.state = 'deferred') OR (n.released_taken AND b.state = 'released') AS refunded
    FROM unnest($1::bigint[], $2::text[], $3::boolean[], $4::boolean[]) AS n (root_id, trade_no, deferred_taken, released_taken)
    CROSS JOIN LATERAL (
        SELECT n.root_id AS id UNION ALL SELECT c.id FROM orders c WHERE c.root_id = n.root_id AND c.root_id <> c.id
    ) AS o
    CROSS JOIN LATERAL (SELECT * FROM refunds m WHERE m.order_id = o.id AND m.state IN ('released', 'deferred') OFFSET 0) AS b
)
UPDATE refunds r
SET trade_no = coalesce(nullif(p.trade_no, ''), r.trade_no), state = CASE WHEN p.refunded THEN 'requested' ELSE 'released' END,
    finished_at = CASE WHEN NOT p.refunded THEN coalesce(r.finished_at, clock_timestamp()) END
FROM parts p
WHERE r.id = p.id AND r.id = ANY(ARRAY(SELECT id FROM parts))
RETURNING r.id, r.refund_no, r.order_id, r.provider, r.trade_no, r.cause, r.amount, r.currency, r.case_id, p.refunded,
    p.before = 'deferred' AS deferred;

-- name: payment_authorizations.look_at
-- $1 attempt ids (their orders are locked), $2 when to look at the authorisation of each (null: after $3). A timer that runs gets the new time.
INSERT INTO timers (kind, key, due_at, wake_at)
SELECT 'authorization', n.key, coalesce(n.at, clock_timestamp() + $3::interval), coalesce(n.at, clock_timestamp() + $3::interval)
FROM unnest($1::bigint[], $2::timestamptz[]) AS n (key, at)
ORDER BY n.key
ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, wake_at = excluded.wake_at, woken_at = NULL, wakes = 0;
