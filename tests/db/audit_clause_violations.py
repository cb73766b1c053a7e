"""SQL that breaks one clause of an invariant alone, and SQL of which the audit must say nothing.

Each stands here because the other violations would be reported without that clause, too.
"""

LATE = "(SELECT order_id FROM payment_facts WHERE trade_no = 'late-1')"
WAITING = (
    "UPDATE payment_facts f SET verdict = 'waiting', amount = o.payable_amount FROM orders o"
    " WHERE o.id = f.order_id AND f.trade_no = 'late-1'; DELETE FROM refunds WHERE trade_no = 'late-1';"
    "UPDATE orders SET state = 'reinstating', policy = coalesce(policy, '{}') || '{\"on_late_payment\": \"%s\"}'%s"
    f" WHERE id = {LATE}"
)
TAKEN = "UPDATE payment_attempts SET state = 'authorized' WHERE trade_no = 'taken-2'"
OF_AUTH_2 = "(SELECT order_id FROM payment_authorizations WHERE authorization_no = 'auth-2')"
NOT_TAKEN = "UPDATE payment_authorizations SET state = 'failed', not_taken_at = now() WHERE authorization_no = 'auth-2'"
REFUSED_CODE = "'a13812345678'"
SHARED = "SELECT shipment_id FROM shipment_items GROUP BY 1 HAVING count(DISTINCT order_id) > 1"
OF_SHARED = f"""(shipment_id, order_id) IN (
    SELECT shipment_id, max(order_id) FROM shipment_items
    WHERE shipment_id IN (SELECT id FROM waybills) AND shipment_id IN ({SHARED}) GROUP BY shipment_id)"""
MOVED = f"""SET LOCAL session_replication_role = replica; UPDATE order_items SET warehouse = 'a' WHERE order_id IN (
    SELECT min(order_id) FROM shipment_items WHERE shipment_id IN ({SHARED}) GROUP BY shipment_id)"""
OUTBOX_ROW = (
    "INSERT INTO outbox (shard, stream, message_id, destination, routing_key, correlation_id, headers, must_route,"
    " type, body) VALUES (1, 's', 'm', 'queue', 'k', 'c', '{}', true, "
)


def _copied(table: str, changes: str, where: str) -> str:
    """Inserts rows of the table again, with changes (JSON, of which `t` is the row)."""
    return f"INSERT INTO {table} SELECT (jsonb_populate_record(t, {changes})).* FROM {table} t WHERE {where}"


_STOCK_HOLDS = [
    "INSERT INTO stock_ledger SELECT l.* FROM stock_ledger l JOIN stock_holders s USING (holder_id)"
    " WHERE s.state = 'reserved' AND l.op = 'reserve'",
    "INSERT INTO stock_ledger (holder_id, sku_id, warehouse, op, ref, qty)"
    " SELECT l.holder_id, l.sku_id, l.warehouse, 'restock', 'again', l.qty + 1"
    " FROM stock_ledger l JOIN stock_holders s USING (holder_id) WHERE s.state = 'committed' AND l.op = 'commit'",
    *(
        "UPDATE stock_ledger l SET qty = qty + 1 FROM stock_holders s"
        f" WHERE s.holder_id = l.holder_id AND s.state = '{state}' AND l.op = '{op}'"
        for state, op in (("committed", "commit"), ("released", "release"))
    ),
]
_REINSTATEMENTS = [
    "UPDATE orders SET state = 'reinstating', policy = coalesce(policy, '{}')"
    f' || \'{{"on_late_payment": "reinstate_if_stock"}}\' WHERE id = {LATE}',
    WAITING % ("refund", ""),
    WAITING % ("reinstate_if_stock", ", paid_at = now()"),
]
_ADJUSTMENTS = [
    "UPDATE orders SET adjustment_amount = adjustment_amount + 1 WHERE adjustment_amount <> 0",
    "UPDATE order_items SET shipping_adjustment = shipping_adjustment + 1",
    "DELETE FROM order_adjustments; UPDATE order_items SET adjustment_amount = 0, shipping_adjustment = 0;"
    "UPDATE orders SET adjustment_amount = 0",
    "UPDATE order_adjustments a SET amount = amount + 1 FROM orders o"
    " WHERE o.id = a.order_id AND o.kind = 'sale' AND line_no > 0;"
    "UPDATE order_items i SET adjustment_amount = (SELECT sum(amount) FROM order_adjustments a"
    " WHERE a.order_id = i.order_id AND a.line_no = i.line_no)"
    " WHERE EXISTS (SELECT FROM order_adjustments a WHERE a.order_id = i.order_id AND a.line_no = i.line_no)",
    _copied("order_adjustments", "'{\"line_no\": 1}'", "order_id IN (SELECT parent_id FROM orders)")
    + " AND line_no = 0;"
    "INSERT INTO order_items SELECT (jsonb_populate_record(i, jsonb_build_object('order_id', a.order_id, 'line_no', 1,"
    " 'adjustment_amount', a.amount, 'shipping_adjustment', a.shipping))).* FROM order_adjustments a"
    " JOIN order_items i ON i.ctid = (SELECT min(ctid) FROM order_items) WHERE a.line_no = 1"
    " AND a.order_id IN (SELECT parent_id FROM orders)",
    "UPDATE payment_intent_orders SET amount = amount + 1;"
    "UPDATE payment_intents i SET amount = (SELECT sum(amount) FROM payment_intent_orders s WHERE s.intent_id = i.id)"
    " WHERE purpose = 'merged'",
]
_FAMILIES = [
    "UPDATE orders SET root_id = 7 WHERE kind = 'sale'",
    "UPDATE orders SET parent_id = 7 WHERE kind = 'sale'",
    "UPDATE orders SET parent_id = (SELECT min(id) FROM orders WHERE kind = 'sale') WHERE kind = 'exchange'",
]
_EXCHANGES = [
    "UPDATE orders SET root_id = 7 WHERE kind = 'exchange'",
    "UPDATE after_sales SET state = 'reshipping' WHERE type = 'exchange' AND state = 'awaiting_return'",
    "UPDATE orders o SET state = 'cancelled', updated_at = now() - interval '1 h' FROM exchange_orders e, after_sales c"
    " WHERE e.order_id = o.id AND c.id = e.case_id AND c.state = 'unreturned'",
]
_OUTCOMES = [
    "UPDATE commands c SET order_id = NULL, outcome = '{}' FROM orders o WHERE c.type = 'order.create.v1'"
    " AND c.scope = 'order.create:' || o.user_id AND c.request_id = o.request_id AND o.state = 'completed'"
    " AND o.kind = 'sale'; DELETE FROM orders WHERE state = 'completed' AND kind = 'sale'",
    "UPDATE commands SET outcome_type = 'order.created.v1' WHERE outcome_type = 'order.rejected.v1'",
    "UPDATE commands SET order_id = 7 WHERE outcome_type = 'order.rejected.v1'",
    "UPDATE commands SET order_id = 7 WHERE outcome_type = 'order.created.v1'",
]
_DEADLINES = [
    "DELETE FROM timers t USING orders o WHERE o.id = t.key AND o.kind = 'split_child' AND t.kind = 'receipt'",
    "UPDATE orders SET updated_at = now() + interval '1 h' WHERE state = 'awaiting_payment';"
    "DELETE FROM timers WHERE kind = 'payment'",
]
_BOOKS = [
    "UPDATE payment_facts SET amount = 9999, verdict = 'late' WHERE trade_no = 'taken-2'",
    "UPDATE payment_authorizations SET state = 'capturing' WHERE authorization_no = 'auth-2';" + TAKEN,
    "UPDATE payment_authorizations SET state = 'voiding', verdict = 'late' WHERE authorization_no = 'auth-2';" + TAKEN,
    "UPDATE payment_authorizations SET state = 'authorized' WHERE authorization_no = 'auth-2';" + TAKEN,
    _copied(
        "payment_facts", "jsonb_build_object('trade_no', 'another', 'order_id', a.order_id)", "t.trade_no = 'ok-1'"
    ).replace("payment_facts t", "payment_facts t, payment_authorizations a")
    + " AND a.authorization_no = 'auth-3'",
]
_PERSONAL = [
    OUTBOX_ROW + "'order.create.v1', '{}')",
    OUTBOX_ROW + "'order.paid.v1', '{\"phone\":\"1\"}')",
    OUTBOX_ROW + "'order.paid.v1', '{\"receiver\":\"a\"}')",
    "INSERT INTO dead_letters (queue, body_hash, reason, error_message, key_id, body, headers)"
    " VALUES ('q', '', 'invalid', 'call 13812345678', 'k', '', '')",
    f"UPDATE order_adjustments SET reason_code = {REFUSED_CODE}",
    "INSERT INTO payment_disputes (provider, dispute_no, trade_no, state, amount, currency, reason_code, occurred_at)"
    f" VALUES ('alipay', 'd1', 't1', 'opened', 1, 'CNY', {REFUSED_CODE}, now())",
]
_USER_KEYS = [
    "UPDATE order_addresses SET key_id = 'u:lost'",
    "UPDATE orders SET remark_key_id = 'u:lost'",
    "UPDATE payment_attempts SET key_id = 'u:lost'",
    "INSERT INTO order_notes (order_id, key_id, ciphertext, actor_id, changed_at)"
    " SELECT min(id), 'u:lost', '', 'o', now() FROM orders",
    "INSERT INTO free_texts (type, field, about, message_id, key_id, ciphertext)"
    " VALUES ('t', 'f', '1', 'm', 'u:lost', '')",
]
_CASE_REFUNDS = [
    "DELETE FROM refunds WHERE case_id IN (SELECT id FROM after_sales WHERE state = 'refunding');"
    "UPDATE after_sales SET refund_amount = 0 WHERE state = 'refunding'",
    _copied(
        "refunds",
        '\'{"refund_no": "R7", "cause": "case:7", "case_id": null}\'',
        "cause LIKE 'case:%' AND replaces IS NULL",
    ),
]
_CASE_GOODS = [
    "UPDATE after_sale_inspections SET qty = qty + 1 WHERE disposition = 'restock'",
    "UPDATE after_sale_inspections SET disposition = 'restock' WHERE disposition = 'send_back'",
    "DELETE FROM after_sale_inspections WHERE disposition = 'send_back'",
]
_FAMILIES_OF_CLAUSES = {
    "audit.stock_holds": _STOCK_HOLDS,
    "audit.money_goes_back": ["UPDATE refunds SET amount = amount + 1 WHERE trade_no = 'late-1'"],
    "audit.reinstatements": _REINSTATEMENTS,
    "audit_benefits.follow_orders": [
        "UPDATE points_ledger SET points = points + 1 WHERE op IN ('hold', 'release') AND order_id IN"
        " (SELECT order_id FROM points_ledger WHERE op IN ('hold', 'release') GROUP BY order_id"
        " HAVING array_agg(op ORDER BY op) = '{hold,release}')"
    ],
    "audit.adjustments": _ADJUSTMENTS,
    "audit.taxes": [
        'INSERT INTO order_snapshots SELECT order_id, 2, \'{"rounding": {"tax": "half_up"}}\' FROM order_items'
        " WHERE line_no = 1 AND tax_amount = 0; INSERT INTO order_snapshots SELECT order_id, 3,"
        ' \'[{"line_no": 1, "tax_basis_points": 600}]\' FROM order_items WHERE line_no = 1 AND tax_amount = 0',
        "UPDATE order_items SET tax_amount = tax_amount + 1, promotion_amount = promotion_amount + 1"
        " WHERE tax_amount > 0 AND order_id IN (SELECT order_id FROM exchange_orders)",
    ],
    "audit.families": _FAMILIES,
    "audit.exchanges": _EXCHANGES,
    "audit.histories": ["UPDATE operate_logs SET version = version + 1"],
    "audit.outcomes": _OUTCOMES,
    "audit.order_numbers": [
        "UPDATE orders SET order_no = '0' WHERE order_no NOT IN (SELECT order_no FROM issued_order_numbers)"
    ],
    "audit.deadlines": _DEADLINES,
    "audit.timers": ["INSERT INTO timers VALUES ('after_sale', 42, now(), now())"],
    "audit_authorizations.ended": [
        "UPDATE payment_authorizations SET state = 'capturing' WHERE authorization_no = 'auth-2'"
    ],
    "audit_authorizations.books": _BOOKS,
    "audit.refunded_lines": ["UPDATE refund_lines SET line_no = 9"],
    "audit.parcels": [
        "UPDATE shipment_items SET qty = qty + 1 WHERE shipment_id IN (SELECT id FROM shipments WHERE case_id > 0)",
        "UPDATE shipments SET case_id = 7 WHERE case_id IS NOT NULL",
        "UPDATE after_sales SET order_id = 7 WHERE state = 'return_in_transit'",
        "UPDATE shipments SET warehouse = 'elsewhere' WHERE case_id IS NULL",
        f"UPDATE shipments SET warehouse = NULL WHERE id IN ({SHARED}); {MOVED}",
    ],
    "audit.dropped_units": ["UPDATE order_items SET refunded_qty = 0 WHERE short_qty > 0"],
    "audit.times": [
        f"UPDATE orders SET {state}_at = NULL WHERE state = '{state}'" for state in ("shipped", "delivered")
    ],
    "audit.personal_data": _PERSONAL,
    "audit.user_keys": _USER_KEYS,
    "audit_fulfilments.histories": ["UPDATE fulfilment_steps SET pre_state = 'x' WHERE cur_state = 'packed'"],
    "audit_fulfilments.waybills": [
        "UPDATE commands c SET outcome_type = NULL FROM waybills w"
        " WHERE w.scope = c.scope AND w.request_id = c.request_id AND w.state = 'booked'",
        f"DELETE FROM shipment_items WHERE {OF_SHARED}",
        "UPDATE waybills SET plan = plan || '{\"lines\": []}' WHERE state = 'booked'",
    ],
    "audit_after_sales.refunds": _CASE_REFUNDS,
    "audit_after_sales.followed": [
        _copied(
            "refunds",
            '\'{"state": "succeeded"}\'',
            "case_id IN (SELECT id FROM after_sales WHERE state = 'refunding') AND state = 'requested'",
        ),
    ],
    "audit_after_sales.goods": _CASE_GOODS,
    "audit_after_sales.units": [
        "UPDATE after_sale_lines SET qty = 9 WHERE case_id IN (SELECT id FROM after_sales WHERE state = 'unreturned')",
        "UPDATE after_sale_lines SET line_no = 9 WHERE refunded_qty = 0 AND replaced_qty = 0 AND refused_qty = 0"
        " AND case_id IN (SELECT id FROM after_sales WHERE completed_at IS NOT NULL AND state <> 'unreturned')",
        "UPDATE order_items i SET refunded_qty = i.qty FROM after_sale_lines l JOIN after_sales c ON c.id = l.case_id"
        " WHERE l.replaced_qty > 0 AND i.order_id = c.order_id AND i.line_no = l.line_no",
    ],
    "audit_after_sales.exchanged": [
        "UPDATE after_sale_lines SET replaced_qty = 0 WHERE replaced_qty > 0",
        "UPDATE after_sale_lines SET accepted_qty = qty WHERE case_id IN"
        " (SELECT id FROM after_sales WHERE state = 'unreturned')",
    ],
    "audit_after_sales.arrived": [
        "UPDATE order_items SET refunded_qty = 1 WHERE order_id IN"
        " (SELECT order_id FROM exchange_orders WHERE state = 'delivered')",
        "DELETE FROM order_items WHERE order_id IN (SELECT order_id FROM exchange_orders WHERE state = 'delivered')",
    ],
    "audit_after_sales.histories": [
        "UPDATE after_sale_steps SET version = version + 1; UPDATE after_sales SET version = version + 1"
    ],
}
CLAUSES = [(statement, sql) for statement, family in _FAMILIES_OF_CLAUSES.items() for sql in family]
"""(statement, SQL): each breaks one clause of its invariant."""

IN_ORDER = {
    "audit.deadlines": [
        "UPDATE orders SET held = true WHERE state = 'delivered';"
        "UPDATE timers SET due_at = now() - interval '1 h' WHERE kind = 'receipt'",
        "UPDATE timers SET due_at = now() - interval '1 h' WHERE kind = 'receipt' AND key IN"
        " (SELECT order_id FROM after_sales WHERE completed_at IS NULL)",
    ],
    "audit_authorizations.goods": [
        NOT_TAKEN + f"; UPDATE orders SET state = 'completed' WHERE id = {OF_AUTH_2}",
        NOT_TAKEN + "; INSERT INTO order_holds SELECT 7, order_id, 'payment', 'r', 'm', now(), now(), 'system', 'oms'"
        " FROM payment_authorizations WHERE authorization_no = 'auth-2'",
    ],
}
"""Statement -> changes of the database after which its invariant still holds, by one clause each."""
