-- name: holds.open
-- $1 order ids (locked). Their open holds, the oldest first.
SELECT id, order_id, kind, reason_code, held_since
FROM order_holds
WHERE order_id = ANY($1::bigint[]) AND released_at IS NULL
ORDER BY order_id, id;

-- name: holds.insert
-- $1 ids, $2 order ids (locked), $3 kinds, $4 reason codes, $5 message ids, $6 since when the order is held, $7 when, $8 and $9 who.
INSERT INTO order_holds (id, order_id, kind, reason_code, message_id, held_since, placed_at, placed_by_type, placed_by)
SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
    $8::text[], $9::text[]);

-- name: holds.release
-- $1 ids (their orders are locked), $2 when, $3 and $4 who, $5 reason codes. Fewer rows than given: a hold was not open.
UPDATE order_holds h
SET released_at = n.at, released_by_type = n.by_type, released_by = n.by, release_reason_code = n.reason_code
FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[]) AS n (id, at, by_type, by, reason_code)
WHERE h.id = ANY (ARRAY[n.id]) AND h.released_at IS NULL
RETURNING h.id;

-- name: holds.end
-- $1 order ids (locked) that have ended: their holds end with them, and so does the time for an answer to a shortage.
WITH stopped AS (
    DELETE FROM timers WHERE kind = 'shortage' AND key = ANY($1::bigint[])
)
UPDATE order_holds
SET released_at = greatest(placed_at, clock_timestamp()), released_by_type = 'system', released_by = 'oms', release_reason_code = 'order_ended'
WHERE order_id = ANY($1::bigint[]) AND released_at IS NULL;

-- name: holds.count
-- Reason code -> open holds, most first. Locks: none.
SELECT reason_code, count(*) AS holds FROM order_holds WHERE released_at IS NULL GROUP BY reason_code ORDER BY holds DESC, reason_code;

-- name: holds.list
-- $1 a reason code (null: all), $2 how many. Open holds with their orders, the oldest first. Locks: none.
SELECT h.id AS hold_id, h.order_id, o.order_no, o.state, o.user_id, h.kind, h.reason_code, h.placed_by_type, h.placed_by, h.placed_at, h.held_since
FROM order_holds h JOIN orders o ON o.id = h.order_id
WHERE h.released_at IS NULL AND ($1::text IS NULL OR h.reason_code = $1)
ORDER BY h.placed_at, h.id
LIMIT $2;
