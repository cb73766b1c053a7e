-- What is kept about users. Their locks (users.lock) are held by who erases.

-- name: subjects.live
-- $1 user ids (locked), $2 the states of orders that have not ended. What of each user is under way: orders, attempts, refunds, disputes,
-- after-sale cases, and waybills that a carrier has to book or to cancel. A user's orders cannot begin to live again. Locks: none.
SELECT o.user_id, o.id AS order_id, o.state
FROM orders o
WHERE o.user_id = ANY($1::text[]) AND o.state = ANY($2::text[])
UNION ALL
SELECT o.user_id, o.id, 'payment attempt ' || a.state
FROM orders o JOIN payment_attempts a ON a.order_id = o.id
WHERE o.user_id = ANY($1::text[]) AND a.state IN ('created', 'requested', 'unknown', 'closing')
UNION ALL
SELECT o.user_id, o.id, 'refund ' || r.state
FROM orders o JOIN refunds r ON r.order_id = o.id
WHERE o.user_id = ANY($1::text[]) AND r.state IN ('requested', 'submitted', 'unknown')
UNION ALL
SELECT o.user_id, o.id, 'dispute ' || d.state
FROM orders o
JOIN payment_facts f ON f.order_id = o.id
JOIN payment_disputes d ON d.provider = f.provider AND d.trade_no = f.trade_no
WHERE o.user_id = ANY($1::text[]) AND d.state = 'opened'
UNION ALL
SELECT o.user_id, o.id, 'waybill ' || w.state
FROM orders o JOIN waybills w ON w.order_id = o.id
WHERE o.user_id = ANY($1::text[]) AND w.state IN ('requested', 'unused')
UNION ALL
SELECT o.user_id, o.id, 'goods to send back'
FROM orders o JOIN LATERAL (SELECT * FROM after_sales c WHERE c.order_id = o.id OFFSET 0) AS s ON true
    JOIN after_sale_send_backs b ON b.case_id = s.id AND b.sent_at IS NULL
WHERE o.user_id = ANY($1::text[])
UNION ALL
SELECT o.user_id, o.id, 'after-sale case ' || s.state
FROM orders o JOIN LATERAL (SELECT * FROM after_sales c WHERE c.order_id = o.id OFFSET 0) AS s ON s.completed_at IS NULL
WHERE o.user_id = ANY($1::text[])
ORDER BY 1, 2, 3;

-- name: subjects.unpublished
-- $1 user ids, $2 the types of instructions. The encrypted messages that wait to be published, without the instructions about orders of
-- other users: their stream is the order's id below zero, so that they are neither sent nor decrypted. What is left are instructions of
-- these users and replays, which people make one by one. Locks: none.
SELECT id, type, key_id, body
FROM unpublished
WHERE key_id IS NOT NULL
    AND (type <> ALL ($2::text[]) OR stream = ANY (ARRAY(SELECT '-' || o.id FROM orders o WHERE o.user_id = ANY ($1::text[]))))
ORDER BY id;

-- name: subjects.names
-- $1 user ids. By what messages name each of them, their orders and their payments. Locks: none.
SELECT u.user_id, letter_names(ARRAY[u.user_id]) AS names FROM unnest($1::text[]) AS u (user_id);

-- name: subjects.old_letters
-- $1 the last id of those that were read before, $2 letters at most. The dead letters of before `about` was kept. Locks: none.
SELECT id, key_id, body FROM dead_letters WHERE about IS NULL AND id > $1 ORDER BY id LIMIT $2::integer;

-- name: subjects.save_letters
-- $1 letter ids, in order, $2 what each is about, joined by line ends.
UPDATE dead_letters d SET about = string_to_array(n.about, E'\n')
FROM unnest($1::bigint[], $2::text[]) AS n (id, about)
WHERE d.id = n.id;

-- name: subjects.erase
-- $1 user ids (locked), of whom nothing is under way. Drops their data keys, removes what is encrypted with a key of the shop (dead letters,
-- notifications, and all that is older than data keys), what people of the shop wrote about their orders and letters, where their parcels
-- were and which photos they sent, and removes their carts, drafts and contacts. Documents of archived orders have nothing of that, and lead to
-- what is kept about them elsewhere. Returns for each user how many orders stay.
-- Locks: the rows that it changes. Nothing else changes those: the orders have ended.
WITH archived AS MATERIALIZED (
    SELECT order_id, user_id, document FROM archived_orders WHERE user_id = ANY($1::text[])
), owned AS MATERIALIZED (
    SELECT id, user_id, conversation_id FROM orders WHERE user_id = ANY($1::text[])
    UNION ALL
    SELECT order_id, user_id, document ->> 'conversation_id' FROM archived
), dropped AS (
    UPDATE user_keys SET shop_key_id = NULL, wrapped = NULL, erased_at = clock_timestamp()
    WHERE user_id = ANY($1::text[]) AND erased_at IS NULL
), addresses AS (
    UPDATE order_addresses SET key_id = 'erased', ciphertext = ''
    WHERE order_id IN (SELECT id FROM owned) AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
), remarks AS (
    UPDATE orders SET remark_key_id = 'erased', user_remark = ''
    WHERE id IN (SELECT id FROM owned) AND remark_key_id NOT LIKE 'u:%' AND remark_key_id <> 'erased'
), notes AS (
    UPDATE order_notes SET key_id = 'erased', ciphertext = ''
    WHERE order_id IN (SELECT id FROM owned) AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
), attempts AS (
    UPDATE payment_attempts SET key_id = 'erased', details = ''
    WHERE order_id IN (SELECT id FROM owned) AND key_id NOT LIKE 'u:%' AND key_id <> 'erased'
), numbers AS MATERIALIZED (
    SELECT unnest(ARRAY[r.refund_no, r.provider_no]) AS number FROM refunds r WHERE r.order_id IN (SELECT id FROM owned)
    UNION
    SELECT a.out_trade_no FROM payment_attempts a WHERE a.order_id IN (SELECT id FROM owned)
    UNION
    SELECT n.number #>> '{}'
    FROM archived a CROSS JOIN LATERAL unnest(ARRAY['$.refunds[*].refund_no', '$.refunds[*].provider_no', '$.attempts[*].out_trade_no']::jsonpath[]) AS p (path)
        CROSS JOIN LATERAL jsonb_path_query(a.document, p.path) AS n (number)
), texts_about AS MATERIALIZED (
    SELECT t.about, t.type
    FROM free_texts t
    WHERE t.about = ANY(ARRAY(
            SELECT id::text FROM owned
            UNION SELECT number FROM numbers
            UNION SELECT f.provider || '/' || f.trade_no FROM payment_facts f WHERE f.order_id IN (SELECT id FROM owned)
            UNION SELECT f.one ->> 'provider' || '/' || (f.one ->> 'trade_no')
            FROM (SELECT jsonb_path_query(a.document, '$.payments[*]') AS one FROM archived a) AS f))
        AND t.type NOT IN ('points.adjust', 'points.grant') -- these are about a user, who may be named like an order
    UNION
    SELECT t.about, t.type FROM free_texts t WHERE t.about = ANY($1::text[]) AND t.type IN ('points.adjust', 'points.grant')
), texts AS (
    UPDATE free_texts SET key_id = 'erased', ciphertext = ''
    WHERE key_id NOT LIKE 'u:%' AND key_id <> 'erased' AND about = ANY(ARRAY(SELECT about FROM texts_about))
        AND (about, type) IN (SELECT about, type FROM texts_about)
), notifications AS (
    UPDATE payment_notifications SET key_id = 'erased', notification = ''
    WHERE about = ANY(ARRAY(SELECT number FROM numbers)) AND key_id <> 'erased'
), letters_about AS MATERIALIZED (
    SELECT id FROM dead_letters WHERE about && letter_names($1::text[])
    UNION
    SELECT d.id FROM owned o JOIN dead_letters d ON d.correlation_id = o.conversation_id
), letters AS (
    UPDATE dead_letters SET key_id = 'erased', body = '', headers = ''
    WHERE key_id <> 'erased' AND id IN (SELECT id FROM letters_about)
), decisions AS (
    UPDATE dead_letter_actions SET reason = 'erased' WHERE dead_letter_id IN (SELECT id FROM letters_about)
), letter_edits AS (
    UPDATE dead_letter_edits SET key_id = 'erased', body = '', reason = 'erased' WHERE dead_letter_id IN (SELECT id FROM letters_about)
), replays AS (
    UPDATE replay_runs SET selection = 'erased', reason = 'erased', why = NULL
    WHERE id = ANY(ARRAY(SELECT run_id FROM replay_run_letters WHERE dead_letter_id = ANY(ARRAY(SELECT id FROM letters_about))))
), mended AS (
    UPDATE repairs SET reason = 'erased' WHERE order_id IN (SELECT id FROM owned)
), looks AS (
    UPDATE address_accesses SET reason = 'erased'
    WHERE id = ANY(ARRAY(
        SELECT a.id FROM address_accesses a WHERE a.order_id = ANY(ARRAY(SELECT id FROM owned))
        UNION SELECT a.id FROM address_accesses a WHERE a.user_id = ANY($1::text[])
        UNION SELECT a.id FROM address_accesses a WHERE a.dead_letter_id = ANY(ARRAY(SELECT id FROM letters_about))))
), evidence AS (
    UPDATE after_sales SET evidence = '[]' WHERE order_id IN (SELECT id FROM owned)
), disputed AS (
    UPDATE dispute_evidence SET evidence = '[]'
    WHERE dispute_id = ANY(ARRAY(
        SELECT d.id FROM payment_facts f JOIN payment_disputes d ON d.provider = f.provider AND d.trade_no = f.trade_no
        WHERE f.order_id = ANY(ARRAY(SELECT id FROM owned))))
), resets AS (
    UPDATE revision_resets SET key_id = 'erased', reason = '' WHERE kind = 'member' AND id = ANY($1::text[])
), places AS (
    UPDATE shipment_facts SET place = NULL
    WHERE shipment_id IN (SELECT i.shipment_id FROM shipment_items i WHERE i.order_id IN (SELECT id FROM owned)) AND place IS NOT NULL
), carts AS (
    DELETE FROM cart_lines WHERE user_id = ANY($1::text[])
), drafts AS (
    DELETE FROM order_drafts WHERE user_id = ANY($1::text[])
), contacts AS (
    DELETE FROM user_contacts WHERE user_id = ANY($1::text[])
)
SELECT u.user_id, (SELECT count(*) FROM owned o WHERE o.user_id = u.user_id) AS orders
FROM unnest($1::text[]) AS u (user_id);

-- name: subjects.open_letters
-- $1 user ids, $2 how many of each at most. The dead letters about payments, refunds and disputes of each user about which nobody has
-- decided, the oldest first. Locks: none.
SELECT u.user_id, l.id
FROM unnest($1::text[]) AS u (user_id)
CROSS JOIN LATERAL (
    SELECT d.id FROM (SELECT * FROM dead_letters WHERE about && letter_names(ARRAY[u.user_id]) OFFSET 0) AS d
    WHERE d.state = 'open' AND split_part(d.type, '.', 1) IN ('payment', 'refund', 'dispute')
    ORDER BY d.id LIMIT $2::integer) AS l;

-- name: subjects.kept
-- $1 a user id. How much is kept about the user, and since when; no personal data. Locks: none.
SELECT count(o.id) AS orders, min(o.created_at) AS first_order_at, max(o.created_at) AS last_order_at,
    (SELECT k.created_at FROM user_keys k WHERE k.user_id = $1 AND k.erased_at IS NULL) AS key_since,
    (SELECT max(k.erased_at) FROM user_keys k WHERE k.user_id = $1 AND k.erased_at IS NOT NULL) AS erased_at,
    (SELECT m.level FROM members m WHERE m.user_id = $1) AS member_level,
    (SELECT p.balance FROM points_accounts p WHERE p.user_id = $1) AS points,
    (SELECT count(*) FROM coupons c WHERE c.user_id = $1) AS coupons,
    (SELECT count(*) FROM cart_lines c WHERE c.user_id = $1) AS cart_lines,
    (SELECT count(*) FROM dead_letters d
     WHERE d.about && letter_names(ARRAY[$1::text])) AS dead_letters
FROM orders o
WHERE o.user_id = $1;

-- name: subjects.outcome
-- $1 a scope, $2 a request id. The event that the command ended with, as JSON. Locks: none.
SELECT c.outcome_type, c.outcome::text AS outcome FROM commands c WHERE c.scope = $1 AND c.request_id = $2 AND c.outcome_type IS NOT NULL;
