-- Everything that is kept about a user, as JSON. Ciphertexts are hexadecimal digits there; workers/services/subject_exports.py opens them.
-- Each statement takes $1 a user id, $2 the place after which it goes on (null: from the start) and $3 how many rows at most, and returns
-- rows with their places, in order. $4 is the scopes of commands. Locks: none. tests/db/test_subject_tables.py says of every table
-- which statement has it, or why none does.

-- name: exports.key
-- $1 a user id. The user's data key, if there is one.
SELECT key_id, shop_key_id, wrapped FROM user_keys WHERE user_id = $1 AND erased_at IS NULL;

-- name: exports.user
SELECT '1' AS place, jsonb_build_object('user_id', $1::text,
    'membership', (SELECT to_jsonb(m) FROM members m WHERE m.user_id = $1),
    'points', (SELECT to_jsonb(p) FROM points_accounts p WHERE p.user_id = $1),
    'cart', (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.sku_id) FROM cart_lines c WHERE c.user_id = $1),
    'contacts', (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.medium) FROM user_contacts c WHERE c.user_id = $1),
    'level_resets', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.at) FROM revision_resets r WHERE r.kind = 'member' AND r.id = $1),
    'exports', (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.id) FROM address_accesses a WHERE a.user_id = $1),
    'key_since', (SELECT k.created_at FROM user_keys k WHERE k.user_id = $1 AND k.erased_at IS NULL),
    'erased_at', (SELECT jsonb_agg(k.erased_at ORDER BY k.erased_at) FROM user_keys k WHERE k.user_id = $1 AND k.erased_at IS NOT NULL)
)::text AS row
WHERE $2::text IS NULL AND $3::integer > 0;

-- name: exports.orders
-- $4 the scopes of commands about one order, with {order_id}, {actor.type} and {actor.id}: those of the user, and by an index of their own
-- those of operators and of the shop's systems.
SELECT o.id::text AS place, (d.document || jsonb_build_object(
    'items', (SELECT jsonb_agg(i - 'purchase_price') FROM jsonb_array_elements(nullif(d.document -> 'items', 'null')) AS i),
    'commands', (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.received_at, c.scope)
        FROM (
            SELECT k.*
            FROM unnest($4::text[]) AS t (scope) JOIN commands k
                ON k.scope = replace(replace(replace(t.scope, '{order_id}', o.id::text), '{actor.type}', 'user'), '{actor.id}', o.user_id)
            UNION ALL
            SELECT k.*
            FROM commands k
            WHERE split_part(k.scope, ':', 2) = o.id::text AND split_part(k.scope, ':', 3) IN ('operator', 'system')
                AND split_part(k.scope, ':', 1) = ANY (ARRAY(SELECT split_part(t.scope, ':', 1) FROM unnest($4::text[]) AS t (scope)
                    WHERE t.scope LIKE '%{actor.type}%'))
        ) AS c)))::text AS row
FROM orders o CROSS JOIN LATERAL (SELECT document FROM order_documents v WHERE v.order_id = o.id OFFSET 0) AS d
WHERE o.user_id = $1 AND o.id > coalesce($2::text::bigint, 0)
ORDER BY o.id
LIMIT $3::integer;

-- name: exports.archived_orders
-- Orders that are archived, as they were, without what was personal in them, and what is kept about them in tables with a retention of their
-- own. $4 as in exports.orders.
SELECT a.order_id::text AS place, (a.document || jsonb_build_object('archived_at', a.archived_at,
    'items', (SELECT jsonb_agg(i - 'purchase_price') FROM jsonb_array_elements(nullif(a.document -> 'items', 'null')) AS i),
    'repairs', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM repairs r WHERE r.order_id = a.order_id),
    'address_accesses', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM address_accesses r WHERE r.order_id = a.order_id),
    'issued_number', (SELECT jsonb_agg(to_jsonb(n)) FROM issued_order_numbers n WHERE n.order_id = a.order_id),
    'limited_prices', (SELECT jsonb_agg(to_jsonb(u)) FROM promotion_uses u WHERE u.order_id = a.order_id),
    'commands', (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.received_at, c.scope)
        FROM (
            SELECT k.*
            FROM unnest($4::text[]) AS t (scope) JOIN commands k
                ON k.scope = replace(replace(replace(t.scope, '{order_id}', a.order_id::text), '{actor.type}', 'user'), '{actor.id}', a.user_id)
            UNION ALL
            SELECT k.*
            FROM commands k
            WHERE split_part(k.scope, ':', 2) = a.order_id::text AND split_part(k.scope, ':', 3) IN ('operator', 'system')
                AND split_part(k.scope, ':', 1) = ANY (ARRAY(SELECT split_part(t.scope, ':', 1) FROM unnest($4::text[]) AS t (scope)
                    WHERE t.scope LIKE '%{actor.type}%'))
        ) AS c)))::text AS row
FROM archived_orders a
WHERE a.user_id = $1 AND a.order_id > coalesce($2::text::bigint, 0)
ORDER BY a.order_id
LIMIT $3::integer;

-- name: exports.order_drafts
SELECT d.id::text AS place, to_jsonb(d)::text AS row
FROM order_drafts d
WHERE d.user_id = $1 AND d.id > coalesce($2::text::bigint, 0)
ORDER BY d.id
LIMIT $3::integer;

-- name: exports.points
SELECT l.op || ' ' || l.ref AS place, to_jsonb(l)::text AS row
FROM points_ledger l
WHERE l.user_id = $1 AND ($2::text IS NULL OR (l.op || ' ' || l.ref) COLLATE "C" > $2::text COLLATE "C")
ORDER BY (l.op || ' ' || l.ref) COLLATE "C"
LIMIT $3::integer;

-- name: exports.coupons
SELECT c.coupon_id AS place, (to_jsonb(c) || jsonb_build_object('ledger',
    (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.at) FROM coupon_ledger l WHERE l.coupon_id = c.coupon_id)))::text AS row
FROM coupons c
WHERE c.user_id = $1 AND ($2::text IS NULL OR c.coupon_id COLLATE "C" > $2::text COLLATE "C")
ORDER BY c.coupon_id COLLATE "C"
LIMIT $3::integer;

-- name: exports.texts
SELECT f.place, f.row
FROM (
    SELECT concat_ws(' ', t.about, t.type, t.field, t.message_id, t.sender) AS place, to_jsonb(t)::text AS row
    FROM (SELECT o.id::text AS about FROM orders o WHERE o.user_id = $1
          UNION SELECT unnest(ARRAY[r.refund_no, r.provider_no]) FROM orders o JOIN refunds r ON r.order_id = o.id WHERE o.user_id = $1
          UNION SELECT t.out_trade_no FROM orders o JOIN payment_attempts t ON t.order_id = o.id WHERE o.user_id = $1
          UNION SELECT p.provider || '/' || p.trade_no FROM orders o JOIN payment_facts p ON p.order_id = o.id WHERE o.user_id = $1
          UNION SELECT x.order_id::text FROM archived_orders x WHERE x.user_id = $1
          UNION SELECT n.number #>> '{}'
          FROM archived_orders x CROSS JOIN LATERAL unnest(ARRAY['$.refunds[*].refund_no', '$.refunds[*].provider_no',
                  '$.attempts[*].out_trade_no']::jsonpath[]) AS p (path) CROSS JOIN LATERAL jsonb_path_query(x.document, p.path) AS n (number)
          WHERE x.user_id = $1
          UNION SELECT n.one ->> 'provider' || '/' || (n.one ->> 'trade_no')
          FROM archived_orders x CROSS JOIN LATERAL jsonb_path_query(x.document, '$.payments[*]') AS n (one)
          WHERE x.user_id = $1) AS a
    JOIN free_texts t ON t.about = a.about
    WHERE t.type NOT IN ('points.adjust', 'points.grant')
    UNION ALL
    SELECT concat_ws(' ', t.about, t.type, t.field, t.message_id, t.sender), to_jsonb(t)::text
    FROM free_texts t
    WHERE t.about = $1 AND t.type IN ('points.adjust', 'points.grant')
) AS f
WHERE $2::text IS NULL OR f.place COLLATE "C" > $2::text COLLATE "C"
ORDER BY f.place COLLATE "C"
LIMIT $3::integer;

-- name: exports.notifications
SELECT n.id::text AS place, to_jsonb(n)::text AS row
FROM payment_notifications n
WHERE n.about IN (
        SELECT t.out_trade_no FROM orders o JOIN payment_attempts t ON t.order_id = o.id WHERE o.user_id = $1
        UNION SELECT r.refund_no FROM orders o JOIN refunds r ON r.order_id = o.id WHERE o.user_id = $1
        UNION SELECT m.number #>> '{}'
        FROM archived_orders x CROSS JOIN LATERAL unnest(ARRAY['$.refunds[*].refund_no', '$.attempts[*].out_trade_no']::jsonpath[]) AS p (path)
            CROSS JOIN LATERAL jsonb_path_query(x.document, p.path) AS m (number)
        WHERE x.user_id = $1)
    AND n.id > coalesce($2::text::bigint, 0)
ORDER BY n.id
LIMIT $3::integer;

-- name: exports.buyer_notifications
SELECT n.id::text AS place, to_jsonb(n)::text AS row
FROM buyer_notifications n
WHERE n.user_id = $1 AND n.id > coalesce($2::text::bigint, 0)
ORDER BY n.id
LIMIT $3::integer;

-- name: exports.letters
SELECT d.id::text AS place, (to_jsonb(d) || jsonb_build_object('decisions',
    (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.id) FROM dead_letter_actions a WHERE a.dead_letter_id = d.id),
    'edits', (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.id) FROM dead_letter_edits e WHERE e.dead_letter_id = d.id),
    'replays', (SELECT jsonb_agg(to_jsonb(p) || jsonb_build_object('run', to_jsonb(r)) ORDER BY r.id)
        FROM replay_run_letters p JOIN replay_runs r ON r.id = p.run_id WHERE p.dead_letter_id = d.id),
    'accesses', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM address_accesses r WHERE r.dead_letter_id = d.id)))::text AS row
FROM dead_letters d
WHERE d.id IN (
        SELECT l.id FROM dead_letters l
        WHERE l.about && letter_names(ARRAY[$1::text])
        UNION
        SELECT l.id FROM orders o JOIN dead_letters l ON l.correlation_id = o.conversation_id WHERE o.user_id = $1
        UNION
        SELECT l.id FROM archived_orders x JOIN dead_letters l ON l.correlation_id = x.document ->> 'conversation_id' WHERE x.user_id = $1)
    AND d.id > coalesce($2::text::bigint, 0)
ORDER BY d.id
LIMIT $3::integer;

-- name: exports.commands
-- $4 the scopes of commands that a user gives or that are about one user, with {user_id}, {actor.type} and {actor.id}.
SELECT c.scope || ' ' || c.request_id AS place, to_jsonb(c)::text AS row
FROM commands c
WHERE c.scope = ANY(ARRAY(
        SELECT replace(replace(replace(t.scope, '{actor.type}', 'user'), '{user_id}', $1), '{actor.id}', $1) FROM unnest($4::text[]) AS t (scope)))
    AND ($2::text IS NULL OR (c.scope || ' ' || c.request_id) COLLATE "C" > $2::text COLLATE "C")
ORDER BY (c.scope || ' ' || c.request_id) COLLATE "C"
LIMIT $3::integer;
