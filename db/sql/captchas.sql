-- name: captchas.read
-- $1 order ids (locked). The captchas that the risk check wants of them; orders without one are missing.
SELECT order_id, required_at, until, answers, answered_at FROM captcha_challenges WHERE order_id = ANY($1::bigint[]);

-- name: captchas.save
-- $1 order ids (locked), $2 when each captcha was required, $3 until when it has to be answered, $4 how many answers came, $5 when the last
-- one did (null: it is awaited). An order has one: it is replaced.
INSERT INTO captcha_challenges (order_id, required_at, until, answers, answered_at)
SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::integer[], $5::timestamptz[])
ON CONFLICT (order_id) DO UPDATE SET required_at = excluded.required_at, until = excluded.until, answers = excluded.answers,
    answered_at = excluded.answered_at;

-- name: captchas.end
-- $1 order ids (locked). Their captchas are over.
DELETE FROM captcha_challenges WHERE order_id = ANY($1::bigint[]);

-- name: captchas.facts
-- $1 ids of root orders (locked). What the risk check gets to know of each beside its price: its type, its units, and its country, if it has
-- an address.
SELECT o.id, o.business_type, a.country, (
    SELECT coalesce(sum(i.qty), 0)
    FROM order_items i
    WHERE i.order_id = ANY(ARRAY(SELECT c.id FROM orders c WHERE c.root_id = o.id AND c.root_id <> c.id) || o.id))::bigint AS units
FROM orders o LEFT JOIN order_addresses a ON a.order_id = o.id
WHERE o.id = ANY($1::bigint[]);
