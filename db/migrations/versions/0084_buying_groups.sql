CREATE TABLE buying_groups (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    group_id  text        NOT NULL UNIQUE,
    spu_id    text,
    size      integer     NOT NULL CHECK (size > 1),
    deadline  timestamptz NOT NULL,
    state     text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'formed', 'failed')),
    opened_at timestamptz NOT NULL,
    ended_at  timestamptz,
    CONSTRAINT buying_groups_ended CHECK ((state = 'open') = (ended_at IS NULL))
);
CREATE INDEX buying_groups_ended_at ON buying_groups (ended_at) WHERE ended_at IS NOT NULL;

COMMENT ON TABLE buying_groups IS 'groups of orders of which all go on or none: formed once size of them are paid, failed at the deadline';
COMMENT ON COLUMN buying_groups.group_id IS 'chosen by who sent the first order of the group; size and deadline are from the policy of that order';
COMMENT ON COLUMN buying_groups.spu_id IS 'the SPU of all its goods; null only inside the transaction that opens it';

CREATE TABLE buying_group_orders (
    order_id  bigint PRIMARY KEY REFERENCES orders (id) ON DELETE CASCADE,
    group_key bigint NOT NULL REFERENCES buying_groups (id) ON DELETE CASCADE
);
CREATE INDEX buying_group_orders_group ON buying_group_orders (group_key, order_id);

COMMENT ON TABLE buying_group_orders IS 'the orders that joined a group; one that is neither cancelled nor rejected has a seat';
COMMENT ON COLUMN buying_group_orders.group_key IS 'buying_groups.id, which orders.policy has as buying_group';

SET LOCAL lock_timeout = '5s';
ALTER TABLE timers DROP CONSTRAINT timers_kind_check, ADD CONSTRAINT timers_kind_check CHECK (kind IN ('saga', 'payment', 'receipt', 'attempt',
    'refund', 'shortage', 'cancelling', 'waybill', 'authorization', 'after_sale', 'dispute', 'cancellation', 'group'));
ALTER TABLE order_holds DROP CONSTRAINT order_holds_kind_check, ADD CONSTRAINT order_holds_kind_check CHECK (kind IN ('operator', 'risk', 'shortage',
    'payment', 'group'));

CREATE OR REPLACE VIEW order_documents AS
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
    'buying_group', (SELECT to_jsonb(g) FROM buying_groups g
        WHERE g.id = (SELECT b.group_key FROM buying_group_orders b WHERE b.order_id = o.id)),
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
