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
SELECT o.id::text AS place, (to_jsonb(o) || jsonb_build_object(
    'items', (SELECT jsonb_agg(to_jsonb(i) - 'purchase_price' ORDER BY i.line_no) FROM order_items i WHERE i.order_id = o.id),
    'address', (SELECT to_jsonb(a) FROM order_addresses a WHERE a.order_id = o.id),
    'import', (SELECT to_jsonb(m) FROM imported_orders m WHERE m.order_id = o.id),
    'note', (SELECT to_jsonb(n) FROM order_notes n WHERE n.order_id = o.id),
    'snapshots', (SELECT jsonb_agg(to_jsonb(s) ORDER BY s.type) FROM order_snapshots s WHERE s.order_id = o.id),
    'log', (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.version) FROM operate_logs l WHERE l.order_id = o.id),
    'holds', (SELECT jsonb_agg(to_jsonb(h)) FROM order_holds h WHERE h.order_id = o.id),
    'captcha', (SELECT to_jsonb(h) FROM captcha_challenges h WHERE h.order_id = o.id),
    'scheduled_cancellation', (SELECT to_jsonb(x) FROM scheduled_cancellations x WHERE x.order_id = o.id),
    'adjustments', (SELECT jsonb_agg(to_jsonb(j) ORDER BY j.version, j.line_no) FROM order_adjustments j WHERE j.order_id = o.id),
    'dropped_units', (SELECT jsonb_agg(to_jsonb(d)) FROM dropped_units d WHERE d.order_id = o.id),
    'hand_overs', (SELECT jsonb_agg(to_jsonb(f) || jsonb_build_object('steps',
        (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.id) FROM fulfilment_steps p WHERE p.order_id = o.id AND p.warehouse = f.warehouse))
        ORDER BY f.warehouse) FROM fulfilments f WHERE f.order_id = o.id),
    'after_sales', (SELECT jsonb_agg(to_jsonb(s) || jsonb_build_object(
        'lines', (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.line_no) FROM after_sale_lines l WHERE l.case_id = s.id),
        'steps', (SELECT jsonb_agg(to_jsonb(p) ORDER BY p.version) FROM after_sale_steps p WHERE p.case_id = s.id),
        'inspections', (SELECT jsonb_agg(to_jsonb(n) ORDER BY n.version, n.line_no) FROM after_sale_inspections n WHERE n.case_id = s.id),
        'send_backs', (SELECT jsonb_agg(to_jsonb(b) ORDER BY b.line_no) FROM after_sale_send_backs b WHERE b.case_id = s.id),
        'exchange_orders', (SELECT jsonb_agg(to_jsonb(x) ORDER BY x.order_id) FROM exchange_orders x WHERE x.case_id = s.id)) ORDER BY s.id)
        FROM after_sales s WHERE s.order_id = o.id),
    'repairs', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM repairs r WHERE r.order_id = o.id),
    'address_accesses', (SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id) FROM address_accesses r WHERE r.order_id = o.id),
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
        ) AS c),
    'issued_number', (SELECT jsonb_agg(to_jsonb(n)) FROM issued_order_numbers n WHERE n.order_id = o.id),
    'limited_prices', (SELECT jsonb_agg(to_jsonb(u)) FROM promotion_uses u WHERE u.order_id = o.id),
    'intent', (SELECT to_jsonb(p) FROM payment_intents p WHERE p.id = o.intent_id),
    'merged_with', (SELECT jsonb_agg(to_jsonb(p)) FROM payment_intent_orders p WHERE p.order_id = o.id),
    'attempts', (SELECT jsonb_agg(to_jsonb(t) ORDER BY t.id) FROM payment_attempts t WHERE t.order_id = o.id),
    'authorizations', (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.attempt_id) FROM payment_authorizations a WHERE a.order_id = o.id),
    'payments', (SELECT jsonb_agg(to_jsonb(f) ORDER BY f.recorded_at) FROM payment_facts f WHERE f.order_id = o.id),
    'disputes', (SELECT jsonb_agg(to_jsonb(d) || jsonb_build_object('evidence',
        (SELECT jsonb_agg(to_jsonb(e) ORDER BY e.number) FROM dispute_evidence e WHERE e.dispute_id = d.id)))
        FROM payment_facts f JOIN payment_disputes d USING (provider, trade_no) WHERE f.order_id = o.id),
    'refunds', (SELECT jsonb_agg(to_jsonb(r) || jsonb_build_object('lines',
        (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.line_no) FROM refund_lines l WHERE l.refund_id = r.id)) ORDER BY r.id)
        FROM refunds r WHERE r.order_id = o.id),
    'parcels', (SELECT jsonb_agg(to_jsonb(s) || jsonb_build_object(
        'units', (SELECT jsonb_agg(to_jsonb(i) ORDER BY i.line_no) FROM shipment_items i WHERE i.shipment_id = s.id AND i.order_id = o.id),
        'reports', (SELECT jsonb_agg(to_jsonb(f) ORDER BY f.recorded_at) FROM shipment_facts f WHERE f.shipment_id = s.id)) ORDER BY s.id)
        FROM shipments s WHERE s.id IN (SELECT i.shipment_id FROM shipment_items i WHERE i.order_id = o.id)),
    'waybills', (SELECT jsonb_agg(to_jsonb(w) ORDER BY w.id) FROM waybills w WHERE w.order_id = o.id)))::text AS row
FROM orders o
WHERE o.user_id = $1 AND o.id > coalesce($2::text::bigint, 0)
ORDER BY o.id
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
          UNION SELECT p.provider || '/' || p.trade_no FROM orders o JOIN payment_facts p ON p.order_id = o.id WHERE o.user_id = $1) AS a
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
        UNION SELECT r.refund_no FROM orders o JOIN refunds r ON r.order_id = o.id WHERE o.user_id = $1)
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
        WHERE l.about && (ARRAY['user:' || $1] || ARRAY(SELECT 'order:' || o.id FROM orders o WHERE o.user_id = $1))
        UNION
        SELECT l.id FROM orders o JOIN dead_letters l ON l.correlation_id = o.conversation_id WHERE o.user_id = $1)
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
