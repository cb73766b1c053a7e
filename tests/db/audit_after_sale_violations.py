"""SQL that breaks the invariants of after-sale cases, each by one change."""

_WHOLE = "(SELECT id FROM orders WHERE cancel_type = 'aftersale')"
_OPEN = "completed_at IS NULL"
_HISTORIES = [
    "DELETE FROM after_sale_steps WHERE version = 2",
    "DELETE FROM after_sale_steps WHERE version = 1",
    "UPDATE after_sale_steps SET pre_state = 'reopened' WHERE version = 2 AND pre_state = 'requested'",
    "UPDATE after_sale_steps SET trigger = 'closed' WHERE cur_state = 'refund_failed'",
    "UPDATE after_sales SET version = version + 1",
    "UPDATE after_sales SET type = 'return_refund' WHERE type = 'refund_only' AND state = 'refunding'",
    "DELETE FROM after_sales WHERE state = 'rejected'",
]
_UNITS = [
    f"UPDATE after_sale_lines SET qty = qty + 1 WHERE case_id IN (SELECT id FROM after_sales WHERE {_OPEN})",
    "UPDATE after_sale_lines SET refunded_qty = refunded_qty + 1 WHERE refunded_qty > 0",
    "UPDATE after_sale_lines SET replaced_qty = 2 WHERE replaced_qty = 0",
    "UPDATE after_sale_lines SET line_no = 9",
    f"UPDATE shipments SET state = 'booked' WHERE id IN (SELECT shipment_id FROM shipment_items i"
    f" JOIN after_sales c USING (order_id) WHERE c.{_OPEN})",
    "UPDATE order_items SET short_qty = 1 WHERE refunded_qty = 1 AND order_id IN"
    " (SELECT order_id FROM after_sales WHERE state = 'refunding')",
    "INSERT INTO after_sales SELECT (jsonb_populate_record(c, '{\"id\": 7}')).* FROM after_sales c"
    " WHERE state = 'requested';"
    "INSERT INTO after_sale_lines SELECT 7, line_no, qty FROM after_sale_lines JOIN after_sales ON id = case_id"
    " WHERE state = 'requested' AND qty = 2",
]
_REFUNDS = [
    "UPDATE after_sales SET refund_amount = 0 WHERE state = 'completed'",
    "UPDATE after_sales SET refund_amount = NULL WHERE state = 'completed'",
    "UPDATE after_sales SET refund_amount = 5 WHERE state = 'requested'",
    "UPDATE refunds SET amount = amount + 1 WHERE cause LIKE 'case:%'",
    "UPDATE refunds SET cause = 'case:7' WHERE cause LIKE 'case:%'",
    "UPDATE refunds SET case_id = NULL WHERE cause LIKE 'case:%'",
    "UPDATE refunds SET case_id = NULL WHERE replaces IS NOT NULL AND case_id IS NOT NULL",
    "UPDATE refunds SET case_id = 7 WHERE cause LIKE 'operator:%' AND replaces IS NULL",
    "DELETE FROM refunds WHERE cause LIKE 'case:%'",
]
_FOLLOWED = [
    "UPDATE after_sales SET state = 'refunding' WHERE state = 'completed'",
    "UPDATE after_sales SET state = 'refunding' WHERE state = 'refund_failed'",
    "UPDATE after_sales SET state = 'refund_failed' WHERE state = 'refunding'",
    "UPDATE after_sales SET state = 'refund_failed' WHERE state = 'completed'",
    "UPDATE after_sales SET state = 'completed' WHERE state = 'closed'",
    "UPDATE after_sales SET state = 'closed' WHERE state = 'completed'",
    "UPDATE refunds SET state = 'requested' WHERE case_id IN (SELECT id FROM after_sales WHERE state = 'completed')",
]
_REPLACED = "type = 'exchange' AND state = 'completed'"
_EXCHANGING = "type = 'exchange' AND state = 'awaiting_return'"
_EXCHANGES = [
    f"UPDATE after_sales SET state = 'reshipping', completed_at = NULL WHERE {_REPLACED}",
    *(
        f"UPDATE after_sales SET state = '{state}' WHERE {_EXCHANGING}"
        for state in ("approved", "refunding", "refund_failed")
    ),
    f"UPDATE after_sales SET state = 'completed', completed_at = now() WHERE {_EXCHANGING}",
    f"UPDATE exchange_orders SET case_id = (SELECT id FROM after_sales WHERE {_EXCHANGING});"
    "UPDATE orders SET state = 'placing' WHERE kind = 'exchange' AND state = 'delivered'",
]
_DEADLINES = [
    *(
        f"DELETE FROM timers WHERE key IN (SELECT id FROM after_sales WHERE state = '{state}')"
        for state in ("requested", "reopened", "awaiting_return", "inspect_failed", "refund_failed")
    ),
    "DELETE FROM timers WHERE key IN (SELECT case_id FROM after_sale_send_backs WHERE sent_at IS NULL)",
    "UPDATE after_sale_send_backs SET parcel_id = 7, sent_at = now(), sent_actor_type = 'a', sent_actor_id = 'b',"
    " sent_cause_type = 'c', sent_cause_id = 'd' WHERE sent_at IS NULL",
    "UPDATE timers SET due_at = now() - interval '2 min' WHERE kind = 'after_sale'",
    "INSERT INTO timers SELECT 'after_sale', id, now(), now() FROM after_sales WHERE state = 'rejected'",
]
_WHOLES = [
    f"UPDATE order_items SET refunded_qty = refunded_qty - 1 WHERE order_id IN {_WHOLE}",
    f"UPDATE after_sales SET state = 'closed' WHERE order_id IN {_WHOLE}",
    "UPDATE orders SET cancel_type = 'aftersale' WHERE state = 'cancelled' AND paid_at IS NULL",
]
_GOODS = [
    "UPDATE stock_ledger SET qty = qty + 1 WHERE ref LIKE 'case:%' AND op = 'restock'",
    "UPDATE stock_ledger SET qty = qty + 1 WHERE ref LIKE 'case:%' AND op = 'write_off'",
    "UPDATE after_sale_steps SET at = at - interval '2 min';"
    "UPDATE after_sale_lines SET accepted_qty = accepted_qty + 1 WHERE accepted_qty > 0",
    "UPDATE after_sale_steps SET at = at - interval '2 min'; DELETE FROM stock_ledger WHERE ref LIKE 'case:%'",
    "INSERT INTO stock_ledger SELECT holder_id, sku_id, warehouse, op, 'case:7:1', qty FROM stock_ledger"
    " WHERE ref LIKE 'case:%' AND op = 'restock'",
]
_SEND_BACKS = [
    "DELETE FROM after_sale_send_backs WHERE sent_at IS NULL",
    "DELETE FROM after_sale_send_backs b USING after_sales c WHERE c.id = b.case_id AND c.state <> 'closed'",
    "DELETE FROM after_sale_send_backs b USING after_sales c"
    " WHERE c.id = b.case_id AND c.state = 'closed' AND b.sent_at IS NULL",
    'INSERT INTO shipments SELECT (jsonb_populate_record(s, \'{"id": 7, "tracking_no": "R7"}\')).* FROM shipments s'
    " WHERE to_buyer",
    "DELETE FROM after_sale_send_backs WHERE sent_at IS NOT NULL",
    "UPDATE after_sale_send_backs SET qty = qty + 1 WHERE sent_at IS NULL",
    "UPDATE after_sale_send_backs SET warehouse = 'west'",
    "UPDATE shipments SET to_buyer = false WHERE to_buyer",
    "UPDATE shipment_items SET qty = qty + 1 WHERE shipment_id IN (SELECT id FROM shipments WHERE to_buyer)",
    "UPDATE after_sale_send_backs SET parcel_id = 7 WHERE parcel_id IS NOT NULL",
]
_FAMILIES = {
    "histories": _HISTORIES,
    "units": _UNITS,
    "refunds": _REFUNDS,
    "followed": _FOLLOWED,
    "exchanges": _EXCHANGES,
    "deadlines": _DEADLINES,
    "whole_returns": _WHOLES,
    "goods": _GOODS,
    "send_backs": _SEND_BACKS,
}
CASES = [
    *((f"audit_after_sales.{name}", sql) for name, family in _FAMILIES.items() for sql in family),
    (
        "audit.timers",
        "INSERT INTO timers SELECT 'after_sale', case_id, now(), now() FROM after_sale_send_backs"
        " JOIN after_sales ON id = case_id WHERE state = 'closed' AND sent_at IS NOT NULL",
    ),
    ("audit_benefits.earned", f"DELETE FROM points_ledger WHERE op = 'revoke' AND order_id IN {_WHOLE}"),
    ("audit_benefits.follow_orders", f"DELETE FROM coupon_ledger WHERE op = 'return' AND order_id IN {_WHOLE}"),
    (
        "audit_benefits.follow_orders",
        "INSERT INTO coupon_ledger SELECT coupon_id, order_id, 'return' FROM coupon_ledger WHERE op = 'use'",
    ),
    ("audit.money_goes_back", f"DELETE FROM refunds WHERE order_id IN {_WHOLE} AND cause LIKE 'case:%'"),
    ("audit.times", f"UPDATE orders SET completed_at = paid_at - interval '1 s' WHERE id IN {_WHOLE}"),
    ("audit.refunded_lines", f"UPDATE order_items SET refunded_qty = 3 WHERE order_id IN {_WHOLE}"),
]
FIRST_OF_CASES = {
    "audit_after_sales.exchanged": (
        "UPDATE after_sale_lines SET replaced_qty = 0 WHERE replaced_qty > 0",
        r"^\d+#1, 1 accepted, 0 replaced, 0 paid$",
    ),
    "audit_after_sales.arrived": (
        "UPDATE order_items SET refunded_qty = 1 WHERE order_id IN"
        " (SELECT order_id FROM exchange_orders WHERE state = 'delivered')",
        r"^\d+#1, 1 replaced$",
    ),
    "audit_after_sales.exchanges": (
        f"UPDATE after_sales SET state = 'inspect_passed' WHERE {_EXCHANGING}",
        r"^\d+ inspect_passed, order \d+ placing$",
    ),
    "audit_after_sales.histories": (
        "UPDATE after_sales SET state = 'closed' WHERE state = 'inspecting'",
        r"^\d+ closed$",
    ),
    "audit_after_sales.units": (
        f"UPDATE after_sale_lines SET qty = 9 WHERE case_id IN (SELECT id FROM after_sales WHERE {_OPEN})",
        r"^\d+#1, 9 of 2 claimed$",
    ),
    "audit_after_sales.refunds": (
        "UPDATE after_sales SET refund_amount = refund_amount + 1 WHERE state = 'completed'",
        r"^\d+ completed, refund \d+$",
    ),
    "audit_after_sales.followed": (_FOLLOWED[0], r"^\d+ refunding$"),
    "audit_after_sales.deadlines": ("DELETE FROM timers WHERE kind = 'after_sale'", r"^\d+ \w+$"),
    "audit_after_sales.whole_returns": (_WHOLES[0], r"^\d+$"),
    "audit_after_sales.send_backs": (_SEND_BACKS[0], r"^\d+#1 \w+, 0 sent back$"),
    "audit_after_sales.goods": (_GOODS[0], r"^\d+, \d+ accepted, \d+ in stock$"),
}
