-- name: waybills.read
-- $1 ids. Waybills with the parcel of each, if there is one. Locks: none.
SELECT w.id, w.order_id, w.scope, w.request_id, w.carrier, w.state, w.plan::text AS plan, w.tracking_no, o.order_no,
    coalesce(s.ended, false) AS parcel_ended
FROM waybills w JOIN orders o ON o.id = w.order_id LEFT JOIN shipments s ON s.id = w.id
WHERE w.id = ANY ($1::bigint[]);

-- name: waybills.request
-- $1 ids, $2 order ids (locked), $3 scopes and $4 request ids of their commands, $5 carriers, $6 plans as JSON.
INSERT INTO waybills (id, order_id, scope, request_id, carrier, state, plan)
SELECT n.id, n.order_id, n.scope, n.request_id, n.carrier, 'requested', n.plan::jsonb
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[]) AS n (id, order_id, scope, request_id, carrier, plan);

-- name: waybills.answer
-- $1 ids (their orders are locked), $2 states, $3 tracking numbers, $4 ship times, $5 refusals; $6 the time. What the carriers answered.
UPDATE waybills w
SET state = n.state, tracking_no = n.tracking_no, ship_time = n.ship_time, refusal = n.refusal, answered_at = $6::timestamptz
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::timestamptz[], $5::text[]) AS n (id, state, tracking_no, ship_time, refusal)
WHERE w.id = n.id AND w.state = 'requested';

-- name: waybills.close
-- $1 ids, $2 states. What became of waybills that no parcel has.
UPDATE waybills w SET state = n.state
FROM unnest($1::bigint[], $2::text[]) AS n (id, state)
WHERE w.id = n.id AND w.state = 'unused';
