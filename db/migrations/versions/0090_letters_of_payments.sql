COMMENT ON COLUMN dead_letters.about IS 'what the body names: user:<id>, order:<id>, number:<ours of an attempt or refund>, payment: and dispute:<provider>/<number>; null: kept before this was noted';
CREATE FUNCTION letter_names(order_ids bigint[]) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ARRAY(
        SELECT 'order:' || o.id FROM unnest(order_ids) AS o (id)
        UNION
        SELECT 'number:' || a.out_trade_no FROM payment_attempts a WHERE a.order_id = ANY(order_ids)
        UNION
        SELECT 'number:' || r.refund_no FROM refunds r WHERE r.order_id = ANY(order_ids)
        UNION
        SELECT 'payment:' || f.provider || '/' || f.trade_no FROM payment_facts f WHERE f.order_id = ANY(order_ids)
        UNION
        SELECT 'dispute:' || d.provider || '/' || d.dispute_no
        FROM payment_facts f JOIN payment_disputes d ON d.provider = f.provider AND d.trade_no = f.trade_no
        WHERE f.order_id = ANY(order_ids))
$$;
COMMENT ON FUNCTION letter_names(bigint[]) IS 'what dead_letters.about may have of these orders: their ids, and the numbers of their attempts, payments, refunds and disputes';
CREATE FUNCTION letter_names(users text[]) RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT 'user:' || u FROM unnest(users) AS u)
        || letter_names(ARRAY(SELECT o.id FROM orders o WHERE o.user_id = ANY(users)))
        || ARRAY(
            SELECT 'order:' || a.order_id FROM archived_orders a WHERE a.user_id = ANY(users)
            UNION
            SELECT 'number:' || (n.number #>> '{}')
            FROM archived_orders a CROSS JOIN LATERAL unnest(ARRAY['$.refunds[*].refund_no', '$.attempts[*].out_trade_no']::jsonpath[]) AS p (path)
                CROSS JOIN LATERAL jsonb_path_query(a.document, p.path) AS n (number)
            WHERE a.user_id = ANY(users)
            UNION
            SELECT 'payment:' || (n.one ->> 'provider') || '/' || (n.one ->> 'trade_no')
            FROM archived_orders a CROSS JOIN LATERAL jsonb_path_query(a.document, '$.payments[*]') AS n (one)
            WHERE a.user_id = ANY(users)
            UNION
            SELECT 'dispute:' || (n.one ->> 'provider') || '/' || (n.one ->> 'dispute_no')
            FROM archived_orders a CROSS JOIN LATERAL jsonb_path_query(a.document, '$.disputes[*]') AS n (one)
            WHERE a.user_id = ANY(users))
$$;
COMMENT ON FUNCTION letter_names(text[]) IS 'what dead_letters.about may have of these users, and of their orders';
-- Letters of these types are examined again by the next erasure: until now nobody noted whose payments they name.
UPDATE dead_letters d SET about = NULL
WHERE d.type IN ('payment.callback.v1', 'refund.result.v1', 'dispute.submit_evidence.v1', 'revision.reset.v1') AND d.key_id <> 'erased'
    AND NOT EXISTS (SELECT FROM dead_letter_edits e WHERE e.dead_letter_id = d.id);
