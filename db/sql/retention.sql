-- name: retention.commands
-- $1 days, $2 rows at most. Deletes the commands that were decided before the start of that day, and writes the day into
-- retention_horizons, at most once a day, so that the audit knows which commands may be missing. Locks: the commands; it skips those that
-- another transaction holds. Undecided commands stay.
WITH bound AS (
    SELECT date_trunc('day', now() - make_interval(days => $1::integer)) AS at
), horizon AS (
    INSERT INTO retention_horizons AS h (name, horizon)
    SELECT 'commands', b.at FROM bound b
    WHERE NOT EXISTS (SELECT FROM retention_horizons k WHERE k.name = 'commands' AND k.horizon >= b.at)
    ON CONFLICT (name) DO UPDATE SET horizon = greatest(h.horizon, excluded.horizon)
)
DELETE FROM commands
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM commands WHERE decided_at < (SELECT at FROM bound) ORDER BY decided_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.dead_letters
-- $1 days, $2 letters at most. Deletes the letters that were decided, for the last time, before that, with their decisions, and what people
-- typed to replay them, which may name users: an erasure finds it by the letters. Open letters stay. Locks: the letters, and the runs that
-- replayed them; it skips letters that another transaction holds.
WITH chosen AS MATERIALIZED (
    SELECT d.id
    FROM dead_letter_actions a JOIN dead_letters d ON d.id = a.dead_letter_id
    WHERE a.at < now() - make_interval(days => $1::integer) AND d.state <> 'open'
        AND NOT EXISTS (SELECT FROM dead_letter_actions later WHERE later.dead_letter_id = d.id AND later.at > a.at)
    ORDER BY a.at
    LIMIT $2::integer
    FOR UPDATE OF d SKIP LOCKED
), actions AS (
    DELETE FROM dead_letter_actions WHERE dead_letter_id IN (SELECT id FROM chosen)
), edits AS (
    DELETE FROM dead_letter_edits WHERE dead_letter_id IN (SELECT id FROM chosen)
), replays AS (
    DELETE FROM replay_run_letters WHERE dead_letter_id IN (SELECT id FROM chosen) RETURNING run_id
), runs AS (
    UPDATE replay_runs SET selection = 'past retention', reason = 'past retention', why = NULL
    WHERE id = ANY (ARRAY(SELECT run_id FROM replays)) AND selection <> 'past retention'
)
DELETE FROM dead_letters WHERE id IN (SELECT id FROM chosen);

-- name: retention.cart_lines
-- $1 days, $2 rows at most. Deletes the lines of carts that were not changed since. Locks: them; it skips those that others hold.
DELETE FROM cart_lines
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM cart_lines WHERE updated_at < now() - make_interval(days => $1::integer)
    ORDER BY updated_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.order_drafts
-- $1 days, $2 rows at most. Deletes the drafts of orders that were not saved since. Locks: them; it skips those that others hold.
DELETE FROM order_drafts
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM order_drafts WHERE saved_at < now() - make_interval(days => $1::integer)
    ORDER BY saved_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.issued_order_numbers
-- $1 days, $2 rows at most. Deletes the order numbers that were issued before that and that no order has. A number is never issued again.
-- Locks: them; it skips those that others hold.
DELETE FROM issued_order_numbers
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM issued_order_numbers WHERE order_id IS NULL AND issued_at < now() - make_interval(days => $1::integer)
    ORDER BY issued_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.believed_notifications
-- $1 days, $2 rows at most. Deletes the notifications that were believed and recorded before that. Locks: them; it skips those that others hold.
DELETE FROM payment_notifications
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM payment_notifications WHERE verdict = 'believed' AND recorded_at < now() - make_interval(days => $1::integer)
    ORDER BY recorded_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.rejected_notifications
-- $1 days, $2 rows at most. The same for the notifications that were rejected.
DELETE FROM payment_notifications
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM payment_notifications WHERE verdict = 'rejected' AND recorded_at < now() - make_interval(days => $1::integer)
    ORDER BY recorded_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.repairs
-- $1 days, $2 rows at most. Deletes the records of repairs that were made before that. Locks: them; it skips those that others hold.
DELETE FROM repairs
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM repairs WHERE at < now() - make_interval(days => $1::integer) ORDER BY at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.interventions
-- $1 days, $2 rows at most. The same for the records of what people did to timers, messages and consumers.
DELETE FROM interventions
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM interventions WHERE at < now() - make_interval(days => $1::integer) ORDER BY at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.dead_letter_notes
-- $1 days, $2 rows at most. The same for the notes about dead letters.
DELETE FROM dead_letter_notes
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM dead_letter_notes WHERE at < now() - make_interval(days => $1::integer) ORDER BY at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.replay_runs
-- $1 days, $2 rows at most. Deletes the letters of replays that nothing has changed since then and that do not run, and the replays that
-- have no letter left. The letters themselves have their own rule. Locks: the replays; it skips those that others hold.
WITH old AS MATERIALIZED (
    SELECT id FROM replay_runs
    WHERE changed_at < now() - make_interval(days => $1::integer) AND state <> 'running'
    ORDER BY changed_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
), emptied AS (
    DELETE FROM replay_runs WHERE id = ANY (ARRAY(
        SELECT id FROM old WHERE NOT EXISTS (SELECT FROM replay_run_letters l WHERE l.run_id = old.id)))
)
DELETE FROM replay_run_letters
WHERE ctid = ANY (ARRAY(
    SELECT l.ctid FROM old CROSS JOIN LATERAL (SELECT ctid FROM replay_run_letters WHERE run_id = old.id OFFSET 0) AS l LIMIT $2::integer));

-- name: retention.address_accesses
-- $1 days, $2 rows at most. The same for the records of who saw an address in clear.
DELETE FROM address_accesses
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM address_accesses WHERE at < now() - make_interval(days => $1::integer) ORDER BY at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.free_texts
-- $1 days, $2 rows at most. Deletes what people wrote before that. Locks: the rows; it skips those that others hold.
DELETE FROM free_texts
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM free_texts WHERE at < now() - make_interval(days => $1::integer) ORDER BY at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.revision_resets
-- $1 days, $2 rows at most. Deletes the records of revisions that were set before that. Locks: them; it skips those that others hold.
DELETE FROM revision_resets
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM revision_resets WHERE at < now() - make_interval(days => $1::integer)
    ORDER BY at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.personal_data
-- $1 days, $2 orders at most. Deletes the address, the remark, the note, the details of payments, the evidence of cases and disputes, and the
-- places of parcels of orders that ended before that. An id begins with its time, so the oldest addresses that are left come first. Locks:
-- the addresses; it skips those that others hold. Then the rows that it changes: they have ended, and nothing else changes them.
WITH chosen AS MATERIALIZED (
    SELECT a.order_id
    FROM order_addresses a
    WHERE a.order_id < (extract(epoch FROM now() - make_interval(days => $1::integer) - '2024-01-01T00:00:00Z'::timestamptz) * 1000)::bigint << 22
        AND (SELECT o.state IN ('completed', 'cancelled', 'rejected', 'split') AND o.updated_at < now() - make_interval(days => $1::integer)
             FROM orders o WHERE o.id = a.order_id)
    ORDER BY a.order_id
    LIMIT $2::integer
    FOR UPDATE SKIP LOCKED
), remarks AS (
    UPDATE orders SET user_remark = NULL, remark_key_id = NULL
    WHERE id = ANY(ARRAY(SELECT order_id FROM chosen)) AND user_remark IS NOT NULL
), notes AS (
    DELETE FROM order_notes WHERE order_id = ANY(ARRAY(SELECT order_id FROM chosen))
), attempts AS (
    UPDATE payment_attempts SET key_id = 'erased', details = ''
    WHERE order_id = ANY(ARRAY(SELECT order_id FROM chosen)) AND key_id <> 'erased'
), photos AS (
    UPDATE after_sales SET evidence = '[]' WHERE order_id = ANY(ARRAY(SELECT order_id FROM chosen)) AND evidence <> '[]'
), submitted AS (
    UPDATE dispute_evidence SET evidence = '[]'
    WHERE dispute_id = ANY(ARRAY(
        SELECT d.id FROM payment_facts f JOIN payment_disputes d ON d.provider = f.provider AND d.trade_no = f.trade_no
        WHERE f.order_id = ANY(ARRAY(SELECT order_id FROM chosen))))
), places AS (
    UPDATE shipment_facts SET place = NULL
    WHERE place IS NOT NULL AND shipment_id = ANY(ARRAY(
        SELECT i.shipment_id FROM shipment_items i WHERE i.order_id = ANY(ARRAY(SELECT order_id FROM chosen))))
)
DELETE FROM order_addresses WHERE order_id = ANY(ARRAY(SELECT order_id FROM chosen));

-- name: retention.buyer_notifications
-- $1 days, $2 rows at most. Deletes the notifications to buyers that were made before that. Locks: them; it skips those that others hold.
DELETE FROM buyer_notifications
WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM buyer_notifications WHERE created_at < now() - make_interval(days => $1::integer)
    ORDER BY created_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
));

-- name: retention.buying_groups
-- $1 days, $2 rows at most. Deletes which orders the groups had that ended before that, and the groups of which that is gone; the orders
-- stay. Locks: the groups; it skips those that others hold.
WITH old AS MATERIALIZED (
    SELECT id FROM buying_groups WHERE ended_at < now() - make_interval(days => $1::integer)
    ORDER BY ended_at LIMIT $2::integer FOR UPDATE SKIP LOCKED
), emptied AS (
    DELETE FROM buying_groups WHERE id = ANY (ARRAY(
        SELECT id FROM old WHERE NOT EXISTS (SELECT FROM buying_group_orders m WHERE m.group_key = old.id)))
)
DELETE FROM buying_group_orders
WHERE order_id = ANY (ARRAY(
    SELECT m.order_id
    FROM old CROSS JOIN LATERAL (SELECT order_id FROM buying_group_orders WHERE group_key = old.id ORDER BY order_id LIMIT $2::integer) AS m
    LIMIT $2::integer
));
