-- Archives orders that ended long ago: each becomes one document, and its rows are deleted. What is counted over years stays in its
-- tables: numbers, coupons, points, limited prices and the stock ledger.

-- name: archive.lock_roots
-- $1 the order id that the ids of archived orders are below, $2 the id after which to go on, $3 how many. Locks: these root orders, in order;
-- those that another transaction holds are skipped.
SELECT id
FROM orders
WHERE id < $1::bigint AND id > $2::bigint AND root_id = id
ORDER BY id LIMIT $3::integer
FOR UPDATE SKIP LOCKED;

-- name: archive.ended
-- $1 root orders (locked). Those with nothing left to happen: every order of the family has ended, and so have its refunds, cases, disputes,
-- parcels, authorisations and holds; no timer wakes for it, it shares no payment or parcel with another family, no exchange links it to one, and
-- nothing of it is encrypted with a key of the shop.
SELECT r.id
FROM unnest($1::bigint[]) AS r (id)
WHERE NOT EXISTS (
    SELECT FROM orders f
    WHERE f.id = ANY(r.id || ARRAY(SELECT c.id FROM orders c WHERE c.root_id = r.id AND c.root_id <> c.id)) AND (
        f.state NOT IN ('completed', 'cancelled', 'rejected', 'split') OR f.held
        OR (f.remark_key_id IS NOT NULL AND f.remark_key_id NOT LIKE 'u:%' AND f.remark_key_id <> 'erased')
        OR EXISTS (SELECT FROM order_addresses a WHERE a.order_id = f.id AND a.key_id NOT LIKE 'u:%' AND a.key_id <> 'erased' OFFSET 0)
        OR EXISTS (SELECT FROM timers t WHERE t.key = f.id AND t.kind IN ('saga', 'payment', 'receipt', 'shortage', 'cancelling',
            'cancellation') OFFSET 0)
        OR EXISTS (SELECT FROM scheduled_cancellations s WHERE s.order_id = f.id OFFSET 0)
        OR EXISTS (SELECT FROM captcha_challenges c WHERE c.order_id = f.id OFFSET 0)
        OR EXISTS (SELECT FROM fulfilments w WHERE w.order_id = f.id AND (w.cancel_no IS NOT NULL
            OR w.state IN ('requested', 'accepted', 'picking', 'packed')) OFFSET 0)
        OR EXISTS (SELECT FROM payment_intent_orders m WHERE m.order_id = f.id OFFSET 0)
        OR EXISTS (SELECT FROM payment_facts p WHERE p.order_id = f.id AND p.verdict = 'waiting' OFFSET 0)
        OR EXISTS (SELECT FROM payment_facts p JOIN payment_disputes d USING (provider, trade_no)
            WHERE p.order_id = f.id AND d.state = 'opened' OFFSET 0)
        OR EXISTS (SELECT FROM payment_attempts p WHERE p.order_id = f.id AND p.state IN ('created', 'requested', 'unknown', 'closing') OFFSET 0)
        OR EXISTS (SELECT FROM payment_authorizations p WHERE p.order_id = f.id AND p.state NOT IN ('captured', 'voided') OFFSET 0)
        OR EXISTS (SELECT FROM refunds p WHERE p.order_id = f.id AND p.state NOT IN ('succeeded', 'returned', 'released')
            AND NOT EXISTS (SELECT FROM refunds n WHERE n.replaces = p.refund_no) OFFSET 0)
        OR EXISTS (SELECT FROM after_sales c WHERE c.order_id = f.id AND (c.completed_at IS NULL
            OR EXISTS (SELECT FROM exchange_orders x WHERE x.case_id = c.id)) OFFSET 0)
        OR EXISTS (SELECT FROM exchange_orders x WHERE x.order_id = f.id OFFSET 0)
        OR EXISTS (SELECT FROM waybills w WHERE w.order_id = f.id AND (w.state IN ('requested', 'unused') OR cardinality(w.order_ids) > 1) OFFSET 0)
        OR EXISTS (SELECT FROM shipment_items i JOIN shipments s ON s.id = i.shipment_id
            WHERE i.order_id = f.id AND (NOT s.ended
                OR EXISTS (SELECT FROM shipment_items m CROSS JOIN LATERAL (SELECT root_id FROM orders n WHERE n.id = m.order_id OFFSET 0) AS n
                    WHERE m.shipment_id = s.id AND n.root_id <> r.id)) OFFSET 0)))
ORDER BY r.id;

-- name: archive.creations
-- $1 root orders (locked). The commands that placed them and whose outcome is rendered from the order.
SELECT c.scope, c.request_id, c.order_id
FROM unnest($1::bigint[]) AS r (id)
CROSS JOIN LATERAL (SELECT user_id, request_id FROM orders n WHERE n.id = r.id OFFSET 0) AS o
CROSS JOIN LATERAL (SELECT * FROM commands k WHERE k.scope = 'order.create:' || o.user_id AND k.request_id = o.request_id OFFSET 0) AS c
WHERE c.order_id = r.id
ORDER BY 1, 2;

-- name: archive.save_outcomes
-- $1 scopes, $2 request ids, $3 outcomes (JSON). What a repeat of these commands is answered from now on. Locks: them.
UPDATE commands c SET outcome = n.outcome::jsonb, order_id = NULL
FROM unnest($1::text[], $2::text[], $3::text[]) AS n (scope, request_id, outcome)
WHERE c.scope = n.scope AND c.request_id = n.request_id;

-- name: archive.keep
-- $1 root orders (locked). Their documents and those of their children, without addresses, remarks, details of payments, the places of parcels, and
-- what people wrote.
INSERT INTO archived_orders (order_id, root_id, user_id, document)
SELECT d.order_id, d.root_id, d.user_id,
    (d.document - '{address,note,user_remark,remark_key_id,repairs,address_accesses,limited_prices,issued_number}'::text[])
    || jsonb_build_object(
        'attempts', (SELECT jsonb_agg(t - '{key_id,details}'::text[]) FROM jsonb_array_elements(nullif(d.document -> 'attempts', 'null')) AS t),
        'parcels', (SELECT jsonb_agg(p || jsonb_build_object('reports',
                (SELECT jsonb_agg(r - 'place') FROM jsonb_array_elements(nullif(p -> 'reports', 'null')) AS r)))
            FROM jsonb_array_elements(nullif(d.document -> 'parcels', 'null')) AS p),
        'after_sales', (SELECT jsonb_agg(c - 'evidence') FROM jsonb_array_elements(nullif(d.document -> 'after_sales', 'null')) AS c),
        'disputes', (SELECT jsonb_agg(c - 'evidence') FROM jsonb_array_elements(nullif(d.document -> 'disputes', 'null')) AS c))
FROM orders o CROSS JOIN LATERAL (SELECT * FROM order_documents v WHERE v.order_id = o.id OFFSET 0) AS d
WHERE o.id = ANY($1::bigint[] || ARRAY(SELECT c.id FROM orders c WHERE c.root_id = ANY($1::bigint[]) AND c.root_id <> c.id));

-- name: archive.delete_parcels
-- $1 order ids (root orders are locked). Their parcels with what carriers reported: none has goods of another order.
WITH gone AS (
    DELETE FROM shipments s
    WHERE s.id = ANY(ARRAY(SELECT i.shipment_id FROM shipment_items i WHERE i.order_id = ANY($1::bigint[])))
    RETURNING s.id
)
DELETE FROM shipment_facts f USING gone WHERE f.shipment_id = gone.id;

-- name: archive.delete_payments
-- $1 order ids (root orders are locked). Their payments with disputes, and what a statement listed of them.
WITH paid AS (
    DELETE FROM payment_facts f WHERE f.order_id = ANY($1::bigint[]) RETURNING f.provider, f.trade_no, f.kind
), disputed AS (
    DELETE FROM payment_disputes d USING paid p WHERE d.provider = p.provider AND d.trade_no = p.trade_no
)
DELETE FROM reconciliation_rows w
USING (
    SELECT p.provider, 'capture' AS kind, p.trade_no AS key FROM paid p WHERE p.kind = 'captured'
    UNION ALL SELECT r.provider, 'refund', r.refund_no FROM refunds r WHERE r.order_id = ANY($1::bigint[])
) AS k
WHERE w.provider = k.provider AND w.kind = k.kind AND w.key = k.key;

-- name: archive.delete_notes
-- $1 order ids (root orders are locked).
DELETE FROM order_notes WHERE order_id = ANY($1::bigint[]);

-- name: archive.delete_authorizations
-- $1 order ids (root orders are locked). Their attempts to pay, with authorisations.
DELETE FROM payment_attempts WHERE order_id = ANY($1::bigint[]);

-- name: archive.delete_orders
-- $1 order ids (root orders are locked). With an order goes everything that refers to it.
DELETE FROM orders WHERE id = ANY($1::bigint[]);

-- name: archive.family_ids
-- $1 root orders. They and their children.
SELECT array_agg(id ORDER BY id) AS ids
FROM orders
WHERE id = ANY($1::bigint[] || ARRAY(SELECT c.id FROM orders c WHERE c.root_id = ANY($1::bigint[]) AND c.root_id <> c.id));

-- name: archive.bound
-- $1 months. The least id of an order that was placed in this month or in so many months before it.
SELECT first_order_id(date_trunc('month', now(), 'UTC') - make_interval(months => $1::integer)) AS id;

-- name: archive.drop_empty
-- $1 the order id below which empty months are dropped; returns how many were. Locks: an advisory lock, and for an instant each table of a month.
SELECT CASE WHEN pg_try_advisory_xact_lock(6021024) THEN drop_empty_order_partitions($1::bigint) END AS dropped;
