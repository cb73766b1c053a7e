-- Old orders can be archived, each as one document. Limited prices stay counted for their user.
SET LOCAL lock_timeout = '5s';
CREATE VIEW order_documents AS
SELECT o.id AS order_id, o.root_id, o.user_id, to_jsonb(o) || jsonb_build_object(
    'items', (SELECT jsonb_agg(to_jsonb(i) ORDER BY i.line_no) FROM order_items i WHERE i.order_id = o.id),
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
    'waybills', (SELECT jsonb_agg(to_jsonb(w) ORDER BY w.id) FROM waybills w WHERE w.order_id = o.id)) AS document
FROM orders o;
COMMENT ON VIEW order_documents IS 'each order with all that belongs to it and has no retention of its own: what its archive keeps, and what its user is given by subject.export';
CREATE TABLE archived_orders (
    order_id    bigint      PRIMARY KEY,
    root_id     bigint      NOT NULL,
    user_id     text        NOT NULL,
    document    jsonb       NOT NULL,
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX archived_orders_user ON archived_orders (user_id, order_id);
COMMENT ON TABLE archived_orders IS 'orders that ended long ago, each with all that belonged to it but for what was personal; the tables have nothing of them any more';
CREATE FUNCTION drop_empty_order_partitions(before bigint) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    month record;
    part record;
    filled boolean;
    dropped integer := 0;
BEGIN
    FOR month IN SELECT substr(c.relname, length('orders') + 1) AS suffix
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'orders'::regclass AND substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(\d+)''\)')::bigint <= before
        ORDER BY substring(pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''(\d+)''\)')::bigint
    LOOP
        FOR part IN SELECT name || month.suffix AS name FROM order_partitions LOOP
            EXECUTE format('SELECT EXISTS (SELECT FROM %I)', part.name) INTO filled;
            EXIT WHEN filled;
        END LOOP;
        EXIT WHEN filled;
        FOR part IN SELECT name FROM order_partitions ORDER BY place DESC LOOP
            EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', part.name, part.name || month.suffix);
            EXECUTE format('DROP TABLE %I', part.name || month.suffix);
        END LOOP;
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;
COMMENT ON FUNCTION drop_empty_order_partitions IS 'drops the oldest months that end before this order id, up to the first with an order, and says how many';
ALTER TABLE promotion_uses DROP CONSTRAINT promotion_uses_order_id_fkey;
