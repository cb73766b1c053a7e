-- name: buyer_notifications.orders
-- $1 order ids. The user and the number of each. Locks: none.
SELECT id, user_id, order_no FROM orders WHERE id = ANY($1::bigint[]);

-- name: buyer_notifications.parcels
-- $1 order ids. The carriers and numbers of the parcels that bring each order to its buyer. Locks: none.
SELECT DISTINCT i.order_id, s.id, s.carrier, s.tracking_no
FROM shipment_items i JOIN LATERAL (SELECT * FROM shipments p WHERE p.id = i.shipment_id OFFSET 0) AS s ON true
WHERE i.order_id = ANY($1::bigint[]) AND s.state <> 'cancelled' AND (s.case_id IS NULL OR s.to_buyer)
ORDER BY i.order_id, s.id;

-- name: buyer_notifications.insert
-- $1 causes, $2 user ids, $3 media, $4 kinds, $5 order ids, $6 events, $7 states, $8 reasons, $9 when to look at each again, $10 when each
-- expires. What was there before is left out of the answer: once for each cause. Locks: none but the new rows.
INSERT INTO buyer_notifications (cause, user_id, medium, kind, order_id, content, state, reason, wake_at, expires_at, ended_at)
SELECT n.cause, n.user_id, n.medium, n.kind, n.order_id, n.content::jsonb, n.state, n.reason, n.wake_at, n.expires_at,
    CASE WHEN n.state <> 'pending' THEN clock_timestamp() END
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
    $10::timestamptz[]) AS n (cause, user_id, medium, kind, order_id, content, state, reason, wake_at, expires_at)
ORDER BY n.user_id, n.cause, n.medium
ON CONFLICT (user_id, cause, medium) DO NOTHING
RETURNING id, cause, user_id, medium;

-- name: buyer_notifications.read
-- $1 ids. The notifications, and whether a key of their user was erased. Unknown ids are missing. Locks: none.
SELECT n.id, n.cause, n.user_id, n.medium, n.kind, n.order_id, n.content::text AS content, n.state, n.attempts,
    n.expires_at, clock_timestamp() AS now,
    EXISTS (SELECT FROM user_keys k WHERE k.user_id = n.user_id AND k.erased_at > n.created_at OFFSET 0) AS erased
FROM buyer_notifications n
WHERE n.id = ANY($1::bigint[]);

-- name: buyer_notifications.end
-- $1 ids, $2 states, $3 reasons, $4 attempts, $5 when to look at those again that stay pending, or null. What was sent stays so.
-- Locks: the rows. Returns those that it changed.
UPDATE buyer_notifications b
SET state = n.state, reason = n.reason, attempts = n.attempts, wake_at = coalesce(n.wake_at, b.wake_at),
    ended_at = CASE WHEN n.state <> 'pending' THEN clock_timestamp() END
FROM (SELECT b.id, n.state, n.reason, n.attempts, n.wake_at
      FROM unnest($1::bigint[], $2::text[], $3::text[], $4::integer[], $5::timestamptz[]) AS n (id, state, reason, attempts, wake_at)
      JOIN buyer_notifications b ON b.id = n.id
      WHERE b.state <> 'sent'
      ORDER BY b.id FOR UPDATE OF b) AS n
WHERE b.id = n.id
RETURNING b.id;

-- name: buyer_notifications.wake
-- $1 how many. The pending ones whose time has come: those that expired end as skipped, the others are looked at again when they expire.
-- It skips rows that another transaction holds. It uses now(), because only a stable bound can use the index.
-- The rows are chosen once, as in timers.sweep.
WITH due AS MATERIALIZED (
    SELECT id FROM buyer_notifications WHERE state = 'pending' AND wake_at <= now() ORDER BY wake_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE buyer_notifications b
SET wake_at = b.expires_at, state = CASE WHEN b.expires_at <= now() THEN 'skipped' ELSE b.state END,
    reason = CASE WHEN b.expires_at <= now() THEN 'expired' ELSE b.reason END,
    ended_at = CASE WHEN b.expires_at <= now() THEN clock_timestamp() END
FROM due
WHERE b.id = due.id
RETURNING b.id, b.medium, b.kind, b.state;
