"""For each invariant of the audit, SQL that breaks it by one change."""

from tests.db.audit_after_sale_violations import CASES, FIRST_OF_CASES
from tests.db.audit_authorization_violations import AUTHORIZATIONS, FIRST
from tests.db.audit_clause_violations import CLAUSES
from tests.db.audit_group_violations import FIRST_OF_GROUPS, GROUPS
from tests.db.audit_late_violations import ORDER_NUMBERS, PRICES_AND_LATE_PAYMENTS
from tests.db.audit_notification_violations import FIRST_NOTIFIED, NOTIFICATIONS
from tests.db.audit_order_violations import EXCHANGES, HOLDS, SCHEDULES, SHORTAGES
from tests.db.audit_payment_violations import FIRST_OF_EVIDENCE, PAYMENTS

OUTBOX = (
    "INSERT INTO outbox (shard, stream, message_id, destination, routing_key, correlation_id, headers, must_route, "
)
VIOLATIONS = {
    **FIRST,
    **FIRST_OF_CASES,
    **(FIRST_NOTIFIED | FIRST_OF_GROUPS | FIRST_OF_EVIDENCE),
    "audit.stock_counters": ("UPDATE stock SET locked = on_hand + 1 WHERE sku_id = 's1'", "^s1@main$"),
    "audit.stock_ledger": ("UPDATE stock SET on_hand = on_hand - 1 WHERE sku_id = 's2'", "^s2@main$"),
    "audit.stock_transfers": ("DELETE FROM stock_ledger WHERE op = 'transfer_in' AND sku_id = 'b1'", "^b1 main"),
    "audit.stock_holds": (
        "INSERT INTO stock_ledger (holder_id, sku_id, warehouse, op, qty) "
        "SELECT holder_id, sku_id, warehouse, 'release', qty FROM stock_ledger "
        "WHERE op = 'commit' AND sku_id = 's1' LIMIT 1",
        r"^\d+:s1@main$",
    ),
    "audit.refunds_within_captures": ("UPDATE refunds SET amount = amount + 1 WHERE trade_no = 'late-1'", ":late-1$"),
    "audit.money_goes_back": ("DELETE FROM refunds WHERE trade_no = 'late-1'", r"^\d+ \w+:late-1$"),
    "audit.reinstatements": (
        "UPDATE payment_facts SET verdict = 'waiting' WHERE trade_no = 'late-1'",
        r"^\d+ (none|refunded)$",
    ),
    "audit.money_is_back": ("UPDATE refunds SET state = 'failed' WHERE trade_no = 'late-1'", ":late-1$"),
    "audit.stock_follows_orders": (
        "UPDATE orders SET updated_at = updated_at - interval '2 min';"
        "UPDATE shipment_facts SET recorded_at = recorded_at - interval '2 min';"
        "UPDATE stock_holders SET state = 'reserved' WHERE state = 'committed'",
        r"completed, stock reserved$",
    ),
    "audit.stock_places": (
        "UPDATE order_items SET warehouse = 'east' WHERE line_no = 1 AND order_id = "
        "(SELECT min(id) FROM orders WHERE state = 'completed' AND source <> 'import')",
        r"^\d+ \S+@east$",
    ),
    "audit.paid_orders": ("UPDATE payment_facts SET verdict = 'failed' WHERE verdict = 'kept'", "completed$"),
    "audit.money_totals": ("UPDATE orders SET captured_amount = 1 WHERE state = 'completed'", r"^\d+$"),
    "audit.line_totals": ("UPDATE order_items SET payable_amount = payable_amount - 1 WHERE line_no = 2", r"^\d+$"),
    "audit.adjustments": (
        "UPDATE order_adjustments SET amount = amount + 1 WHERE line_no = 2",
        r"^\d+(#2| version \d+)$",
    ),
    "audit.taxes": (
        "UPDATE order_items SET tax_amount = tax_amount + 1, payable_amount = payable_amount + 1 WHERE tax_amount > 0",
        r"^\d+ line \d, tax \d+, half_up$",
    ),
    "audit.families": (
        "UPDATE orders SET state = 'paid' WHERE kind = 'split_child' AND state = 'awaiting_payment'",
        r"^\d+ paid of \d+ awaiting_payment$",
    ),
    "audit.exchanges": ("DELETE FROM exchange_orders WHERE state = 'reserved'", r"^\d+ placing$"),
    "audit_benefits.coupons": ("UPDATE coupons SET state = 'issued', order_id = NULL WHERE coupon_id = 'c1'", "^c1$"),
    "audit_benefits.points": ("UPDATE points_accounts SET balance = balance + 1", "^u1$"),
    "audit_benefits.earned": (
        "UPDATE points_ledger SET points = points + 1 WHERE op = 'award'",
        r"^\d+ earned \d+ and \d+, due \d+ and \d+$",
    ),
    "audit_benefits.limits": ("UPDATE promotion_quotas SET sold = sold + 1", "^flash$"),
    "audit_benefits.follow_orders": (
        "INSERT INTO coupon_ledger SELECT coupon_id, order_id, 'use' FROM coupons WHERE state = 'locked'",
        r"^\d+ awaiting_payment, coupon lock use$",
    ),
    "audit.snapshots": ("DELETE FROM order_items WHERE line_no = 1", r"^\d+$"),
    "audit.histories": ("DELETE FROM operate_logs WHERE version = 2 AND cur_state = 'awaiting_payment'", r"^\d+$"),
    "audit.states_from_logs": ("UPDATE orders SET state = 'delivered' WHERE state = 'completed'", r"^\d+$"),
    "audit.outcomes": (
        "UPDATE commands SET outcome_type = 'order.rejected.v1' WHERE outcome_type = 'order.created.v1'",
        r"^\d+$",
    ),
    "audit.undecided": (
        "INSERT INTO commands (scope, request_id, type, payload_hash, message_id, correlation_id) "
        "VALUES ('order.create:u9', 'r9', 'order.create.v1', '', 'm', 'c')",
        "^order.create:u9 r9$",
    ),
    "audit.holds": (
        "UPDATE orders SET held = false WHERE held AND state = 'paid'",
        r"^\d+ paid, 1 open$",
    ),
    "audit.archive": (
        "INSERT INTO archived_orders SELECT id, id, user_id, '{}' FROM orders WHERE state = 'completed'",
        r"^\d+$",
    ),
    "audit.order_numbers": ("UPDATE orders SET order_no = '0' WHERE order_no IS NOT NULL", r"^\d+$"),
    "audit_fulfilments.accepted": ("DELETE FROM fulfilment_steps WHERE cur_state = 'accepted'", r"^\d+ fulfilling$"),
    "audit_fulfilments.ended": (
        "UPDATE orders SET updated_at = updated_at - interval '2 min';"
        "UPDATE fulfilments SET state = 'packed' WHERE state = 'withdrawn'",
        r"^\d+@main$",
    ),
    "audit_fulfilments.addresses": (
        "UPDATE orders SET updated_at = updated_at - interval '2 min';"
        "UPDATE order_addresses SET modify_count = modify_count + 1 "
        "WHERE order_id IN (SELECT order_id FROM fulfilments WHERE state = 'handed_over')",
        r"^\d+@main$",
    ),
    "audit_fulfilments.waybills": ("DELETE FROM shipments WHERE id IN (SELECT id FROM waybills)", r"^\d+ booked$"),
    "audit_fulfilments.histories": ("DELETE FROM fulfilment_steps WHERE cur_state = 'picking'", r"^\d+@main$"),
    "audit.deadlines": ("UPDATE timers SET due_at = now() - interval '2 min'", "awaiting_payment$"),
    "audit.placing": ("UPDATE orders SET state = 'placing' WHERE state = 'rejected'", r"^\d+$"),
    "audit.timers": ("INSERT INTO timers VALUES ('saga', 42, now() - interval '2 min', now())", "^saga 42$"),
    "audit.finished_timers": (
        "INSERT INTO timers SELECT 'receipt', id, now() + interval '1 d', now() FROM orders WHERE state = 'completed'",
        r"^receipt \d+$",
    ),
    "audit.refunded_lines": ("UPDATE order_items SET refunded_qty = qty + 1 WHERE line_no = 2", r"^\d+#2$"),
    "audit.dropped_units": ("UPDATE order_items SET short_qty = 0", r"^\d+#1$"),
    "audit.parcels": ("UPDATE shipment_items SET qty = 99", r"^\d+#1$"),
    "audit.times": ("UPDATE orders SET delivered_at = paid_at - interval '1 s' WHERE state = 'completed'", r"^\d+$"),
    "audit.transitions": (
        "UPDATE operate_logs SET cur_state = 'paid' WHERE pre_state = 'placing' AND cur_state = 'rejected'",
        r"^\d+ 2 placing>paid$",
    ),
    "audit.personal_data": (
        "UPDATE order_snapshots SET data = jsonb_build_object('phone', '1') WHERE type = 5",
        r"^snapshot \d+/5$",
    ),
    "audit.user_keys": ("DELETE FROM user_keys WHERE user_id = 'u1'", r"^address \d+$"),
    "audit_payments.captures": (
        "UPDATE payment_attempts SET state = 'closed' WHERE trade_no = 'ok-1'",
        r"^\d+ closed, kept 507 CNY$",
    ),
    "audit_payments.attempts": ("DELETE FROM timers WHERE kind = 'attempt'", r"^\d+ \w+, nobody asks$"),
    "audit_payments.excess": (
        "UPDATE refunds SET state = 'excess', excess_amount = 1 WHERE trade_no = 'ok-2'",
        r"^\d+ R\d+ 1 \w+ above \w+:ok-2$",
    ),
    "audit_payments.excess_amounts": (
        "UPDATE refunds SET state = 'excess', excess_amount = 1 WHERE trade_no = 'ok-2'",
        r"^\d+ \w+:ok-2$",
    ),
    "audit_payments.replaced_refunds": (
        "UPDATE refunds SET replaces = 'R404' WHERE trade_no = 'ok-2'", r"^R\d+ for R404$"),
    "audit_payments.refunds": ("UPDATE refunds SET state = 'submitted' WHERE trade_no = 'ok-2'", r"^R\d+ submitted$"),
    "audit_payments.refunds_ended": ("UPDATE refunds SET state = 'requested'", r"^R\d+ requested$"),
    "audit_payments.lost_disputes": (
        "UPDATE payment_disputes SET amount = 101, recorded_at = now() - interval '2 min' WHERE dispute_no = 'D2'",
        r"^alipay:t-\d+ 101 CNY lost, 100 reversed$",
    ),
    "audit_payments.won_disputes": (
        "UPDATE refunds SET state = 'succeeded' WHERE state = 'returned'",
        r"^R\d+ of alipay:D3$",
    ),
    "audit_payments.dispute_timers": ("DELETE FROM timers WHERE kind = 'dispute'", r"^alipay:D"),
    "audit_payments.evidence": ("UPDATE dispute_evidence SET number = 2", r"^\d+ of 2$"),
    "audit_payments.statements": ("DELETE FROM payment_facts WHERE trade_no = 'ok-1'", "^alipay capture ok-1$"),
    "audit.outbox_age": (
        OUTBOX + "type, body, created_at) VALUES (1, 's', 'm', 'events', 'k', 'c', '{}', false, "
        "'order.paid.v1', '{}', now() - interval '2 min')",
        r"^\d+ order.paid.v1$",
    ),
}  # fmt: skip
"""Statement -> the SQL that breaks its invariant, and a pattern of the first id reported."""

APART = """UPDATE orders SET user_id = 'u9' WHERE id = (
    SELECT max(order_id) FROM shipment_items JOIN shipments ON id = shipment_id WHERE tracking_no = 'together')"""
OTHERS = [
    ("audit.stock_counters", "UPDATE stock SET locked = -1"),
    ("audit.user_keys", "UPDATE user_keys SET erased_at = now() WHERE user_id = 'u1'"),
    ("audit.user_keys", "UPDATE user_keys SET user_id = 'u9' WHERE user_id = 'u1'"),
    ("audit.user_keys", "INSERT INTO user_keys SELECT key_id || 'x', user_id, shop_key_id, wrapped FROM user_keys"),
    ("audit.stock_ledger", "DELETE FROM stock WHERE sku_id = 's1'"),
    ("audit.stock_ledger", "UPDATE stock SET quarantined = 1 WHERE sku_id = 's1'"),
    ("audit.stock_ledger", "INSERT INTO stock VALUES ('s9', 'main', 1, 0)"),
    ("audit.stock_transfers", "DELETE FROM stock_ledger WHERE op = 'transfer_out'"),
    ("audit.stock_transfers", "UPDATE stock_ledger SET qty = qty + 1 WHERE op = 'transfer_in'"),
    ("audit.stock_holds", "UPDATE stock_ledger SET qty = qty + 1 WHERE op = 'restock'"),
    ("audit.stock_holds", "DELETE FROM stock_ledger WHERE op = 'reserve'"),
    ("audit.stock_holds", "UPDATE stock_holders SET state = 'released' WHERE state = 'committed'"),
    ("audit.stock_holds", "INSERT INTO stock_ledger SELECT * FROM stock_ledger WHERE op = 'reserve'"),
    ("audit.refunds_within_captures", "DELETE FROM payment_facts WHERE trade_no = 'late-1'"),
    ("audit.money_goes_back", "UPDATE refunds SET amount = amount - 1 WHERE trade_no = 'late-1'"),
    ("audit.paid_orders", "INSERT INTO payment_facts SELECT * FROM payment_facts WHERE verdict = 'kept'"),
    ("audit.paid_orders", "UPDATE payment_facts SET verdict = 'kept' WHERE verdict = 'late'"),
    ("audit.paid_orders", "UPDATE payment_facts SET currency = 'XXX' WHERE verdict = 'kept'"),
    ("audit.money_totals", "UPDATE orders SET refunded_amount = 0"),
    ("audit.line_totals", "DELETE FROM order_items WHERE line_no = 2"),
    ("audit.line_totals", "UPDATE order_items SET shipping_share = shipping_share + 1"),
    ("audit.histories", "UPDATE operate_logs SET pre_state = 'shipped' WHERE version = 3"),
    ("audit.states_from_logs", "UPDATE orders SET version = version + 1"),
    ("audit.states_from_logs", "DELETE FROM operate_logs"),
    ("audit.outcomes", "DELETE FROM orders WHERE state = 'completed'"),
    ("audit.outcomes", "DELETE FROM commands WHERE outcome_type = 'order.rejected.v1'"),
    ("audit.outcomes", "UPDATE commands SET outcome_type = NULL WHERE type = 'order.cancel.v1'"),
    ("audit.outcomes", "UPDATE commands SET outcome_type = NULL WHERE outcome_type = 'order.created.v1'"),
    (
        "audit.outcomes",
        "UPDATE commands SET outcome = jsonb_build_object('order_id', '7') WHERE type = 'order.create.v1'",
    ),
    ("audit.deadlines", "DELETE FROM timers"),
    ("audit.refunded_lines", "UPDATE order_items SET refunded_amount = payable_amount + 1 WHERE line_no = 2"),
    ("audit.refunded_lines", "UPDATE refund_lines SET amount = amount + 1"),
    ("audit.dropped_units", "DELETE FROM dropped_units WHERE kind = 'cancelled'"),
    (
        "audit.dropped_units",
        "UPDATE dropped_units SET at = at - interval '2 min', ref = 'x' WHERE kind = 'cancelled'",
    ),
    ("audit.parcels", "UPDATE shipment_items SET line_no = 7"),
    ("audit.parcels", "UPDATE order_items SET short_qty = 1, refunded_qty = 1 WHERE qty = 1"),
    ("audit.parcels", "UPDATE shipment_items SET withdrawn = true"),
    ("audit.parcels", APART),
    ("audit.times", "UPDATE orders SET completed_at = NULL WHERE state = 'completed'"),
    ("audit.personal_data", "UPDATE commands SET outcome = jsonb_build_object('a', jsonb_build_object('phone', '1'))"),
    ("audit.personal_data", "UPDATE operate_logs SET remark = 'call 13812345678'"),
    ("audit.personal_data", "UPDATE commands SET outcome = jsonb_build_object('reason', 'call me')"),
    *[
        ("audit.personal_data", f"UPDATE {table} SET reason_code = 'a13812345678'")
        for table in ("orders", "refunds", "payment_facts", "payment_attempts")
    ],
]

CHILD = "kind = 'split_child'"
PARENT_OF = "FROM orders o WHERE o.kind = 'split_child' AND o.id ="
FAMILIES = [
    f"UPDATE orders SET parent_id = NULL WHERE {CHILD}",
    f"UPDATE orders SET root_id = id WHERE {CHILD}",
    f"UPDATE orders SET user_id = 'u9' WHERE {CHILD}",
    f"UPDATE orders SET intent_id = 7 WHERE {CHILD}",
    f"UPDATE orders SET request_id = 'other' WHERE {CHILD}",
    f"UPDATE orders SET paid_at = NULL WHERE {CHILD} AND state = 'cancelled'",
    f"UPDATE orders SET paid_at = now() WHERE {CHILD} AND paid_at IS NULL",
    f"UPDATE orders SET state = 'awaiting_payment' WHERE {CHILD} AND state = 'paid'",
    f"DELETE FROM orders WHERE id = (SELECT min(id) FROM orders WHERE {CHILD})",
    "UPDATE orders SET state = 'paid' WHERE state = 'split'",
    "UPDATE orders SET state = 'completed', paid_at = NULL WHERE kind <> 'sale'",
    "UPDATE orders SET state = 'split' WHERE kind = 'sale' AND state = 'paid'",
    f"UPDATE orders SET kind = 'sale' WHERE {CHILD}",
    f"UPDATE order_items i SET order_id = o.parent_id {PARENT_OF} i.order_id",
    f"UPDATE shipment_items s SET order_id = o.parent_id {PARENT_OF} s.order_id",
]
TERMS = ("origin_amount", "promotion_amount", "coupon_amount", "points_amount", "tax_amount", "payable_amount")
TOTALS = [
    *(
        f"UPDATE order_items SET {term} = {term} + 1"
        for term in (*TERMS, "shipping_share", "gift_points", "gift_growth")
    ),
    *(f"UPDATE orders SET {term} = {term} + 1 WHERE kind = 'split_parent'" for term in (*TERMS, "shipping_fee")),
    "DELETE FROM order_items WHERE line_no = 2",
]
MERGED = "trade_no = 'merged-1'"
MONEY = [
    ("audit.refunds_within_captures", f"UPDATE refunds SET amount = amount + 1 WHERE {MERGED}"),
    ("audit.refunds_within_captures", f"UPDATE refunds r SET order_id = o.parent_id {PARENT_OF} r.order_id"),
    ("audit.money_goes_back", f"DELETE FROM refunds WHERE {MERGED}"),
    (
        "audit.money_goes_back",
        f"DELETE FROM refunds WHERE {MERGED} AND order_id IN (SELECT id FROM orders WHERE kind = 'sale')",
    ),
    ("audit.money_goes_back", f"UPDATE refunds SET order_id = (SELECT max(order_id) FROM refunds WHERE {MERGED})"),
    ("audit.money_goes_back", "DELETE FROM refunds WHERE trade_no = 'merged-2'"),
    ("audit.money_goes_back", "DELETE FROM refunds WHERE trade_no = 'merged-3'"),
    ("audit.money_goes_back", f"DELETE FROM refunds WHERE order_id IN (SELECT id FROM orders WHERE {CHILD})"),
    ("audit.money_is_back", f"UPDATE refunds SET state = 'requested' WHERE {MERGED}"),
    ("audit.money_is_back", f"UPDATE refunds SET state = 'requested' {PARENT_OF} refunds.order_id"),
    ("audit.paid_orders", f"UPDATE payment_facts SET amount = amount + 1 WHERE {MERGED}"),
    ("audit.paid_orders", "UPDATE payment_facts SET amount = amount + 1 WHERE trade_no LIKE 'trade-%'"),
    ("audit.paid_orders", "UPDATE payment_intent_orders SET amount = amount + 1"),
    ("audit.paid_orders", "DELETE FROM payment_intent_orders"),
    ("audit.paid_orders", "UPDATE payment_facts SET verdict = 'kept' WHERE verdict = 'duplicate'"),
    ("audit.paid_orders", "UPDATE payment_facts SET intent_id = 7 WHERE verdict = 'kept'"),
    ("audit.paid_orders", f"UPDATE orders SET intent_id = 7 WHERE {CHILD} AND state = 'paid'"),
    (
        "audit.paid_orders",
        "INSERT INTO payment_facts SELECT f.provider, 'again', f.kind, o.id, 7, f.amount, f.currency, f.verdict, NULL,"
        " f.occurred_at FROM payment_facts f JOIN orders o ON o.parent_id = f.order_id WHERE f.verdict = 'kept'",
    ),
    ("audit.money_totals", "UPDATE orders SET captured_amount = 0 WHERE captured_amount > payable_amount"),
    ("audit.money_totals", f"UPDATE orders SET captured_amount = payable_amount WHERE {CHILD} AND state = 'paid'"),
    ("audit.money_totals", "DELETE FROM payment_intent_orders"),
]
STOCK = [
    # when stock is deducted, a condition of the order, a state that its stock cannot have then
    ("create", "state = 'awaiting_payment'", "reserved"),
    ("create", "state = 'cancelled' AND paid_at IS NULL", "released"),
    ("create", "state = 'cancelled' AND paid_at IS NOT NULL", "released"),
    ("create", "state = 'paid'", "reserved"),
    ("pay", "state = 'awaiting_payment'", "committed"),
    ("pay", "state = 'cancelled' AND paid_at IS NULL", "restocked"),
    ("pay", f"state = 'cancelled' AND paid_at IS NOT NULL AND {CHILD}", "committed"),
    ("pay", f"state = 'paid' AND {CHILD}", "restocked"),
    ("pay", "state = 'rejected'", "reserved"),
    ("ship", "state = 'awaiting_payment'", "committed"),
    ("ship", "state = 'cancelled' AND paid_at IS NOT NULL", "restocked"),
    ("ship", "state = 'paid' AND id NOT IN (SELECT order_id FROM shipment_items)", "committed"),
    ("ship", "state = 'paid' AND id IN (SELECT order_id FROM shipment_items)", "reserved"),
    ("ship", "state = 'completed'", "released"),
]
HOLDERS = [
    "UPDATE stock_holders SET state = 'reserved' WHERE holder_id IN (SELECT id FROM orders WHERE state = 'paid'"
    " AND policy ->> 'deduct_on' = 'ship' AND id IN (SELECT order_id FROM dropped_units WHERE kind = 'short'))",
    *(
        f"UPDATE stock_holders SET state = '{stock}' WHERE holder_id IN"
        f" (SELECT id FROM orders WHERE coalesce(policy ->> 'deduct_on', 'pay') = '{when}' AND {order})"
        for when, order, stock in STOCK
    ),
    "INSERT INTO stock_holders SELECT id, id, 'reserved' FROM orders WHERE kind = 'split_parent'",
    "UPDATE stock_holders SET state = 'reserved' FROM orders o WHERE o.id = holder_id AND o.reason_code LIKE 'RISK%'",
    "DELETE FROM stock_holders WHERE holder_id IN (SELECT id FROM orders WHERE reason_code LIKE 'RISK%')",
    "DELETE FROM stock_holders WHERE holder_id IN (SELECT id FROM orders WHERE reason_code LIKE 'INVENTORY%')",
    f"DELETE FROM stock_holders WHERE holder_id IN (SELECT id FROM orders WHERE {CHILD})",
]
COUPONS = [
    "INSERT INTO coupon_ledger SELECT 'c1', order_id, op FROM coupon_ledger WHERE coupon_id = 'c2'",
    "INSERT INTO coupon_ledger SELECT coupon_id, order_id, 'release' FROM coupon_ledger WHERE op = 'use'",
    "DELETE FROM coupon_ledger WHERE op = 'lock' AND coupon_id = 'c3'",
    "UPDATE coupons SET state = 'used' WHERE state = 'locked'",
    "DELETE FROM coupon_ledger WHERE op = 'lock'",
    "DELETE FROM coupon_ledger WHERE op = 'use'",
    "DELETE FROM coupon_ledger WHERE op = 'release'",
    "DELETE FROM coupon_ledger WHERE op = 'return'",
    "DELETE FROM coupons WHERE state = 'used'",
    "UPDATE coupons SET order_id = 7 WHERE state = 'used'",
    "UPDATE coupons SET order_id = 7 WHERE coupon_id = 'c8'",
    "UPDATE coupons SET state = 'used' WHERE coupon_id = 'c8'",
    "UPDATE coupons SET state = 'expired' WHERE coupon_id = 'c8'",
]
POINTS = [
    *(f"DELETE FROM points_ledger WHERE op = '{op}'" for op in ("grant", "hold", "use", "release", "return", "award")),
    *(f"DELETE FROM points_ledger WHERE op = '{op}'" for op in ("revoke", "reclaim", "restore", "add", "deduct")),
    "DELETE FROM points_accounts",
    "UPDATE points_accounts SET growth = growth + 1",
    "INSERT INTO points_accounts VALUES ('u9', 1)",
    "UPDATE points_ledger SET points = points - 2500 WHERE op = 'grant';"
    "UPDATE points_accounts SET balance = balance - 2500",
]
FOLLOW = [
    "UPDATE orders SET coupon_id = NULL WHERE coupon_id = 'c1'",
    "UPDATE orders SET coupon_id = 'c8' WHERE coupon_id = 'c1'",
    "UPDATE coupons SET user_id = 'u9' WHERE coupon_id = 'c1'",
    *(f"DELETE FROM coupon_ledger WHERE op = '{op}'" for op in ("lock", "use", "release", "return")),
    "INSERT INTO coupon_ledger SELECT coupon_id, order_id, 'return' FROM coupons WHERE state = 'used'",
    f"UPDATE orders SET state = 'cancelled' WHERE {CHILD} AND state = 'paid'",
    "UPDATE orders SET use_points = 0 WHERE use_points = 200",
    *(f"UPDATE points_ledger SET points = points - 1 WHERE op = '{op}'" for op in ("hold", "use", "release", "return")),
    *(f"DELETE FROM points_ledger WHERE op = '{op}'" for op in ("hold", "use", "release", "return", "reclaim")),
    "UPDATE points_ledger SET points = points - 1 WHERE op = 'reclaim'",
    "UPDATE refunds SET state = 'failed' WHERE order_id IN"
    " (SELECT id FROM orders WHERE state = 'paid' AND use_points = 300)",
    "INSERT INTO points_ledger SELECT user_id, 'return', 'again', order_id, 1 FROM points_ledger WHERE op = 'release'",
    "UPDATE points_ledger SET user_id = 'u9'",
    "UPDATE points_ledger SET op = 'release' WHERE op = 'use'",
    "UPDATE points_ledger SET points = points + 999 WHERE op = 'return' AND ref NOT LIKE '%:end'",
    "INSERT INTO points_ledger SELECT user_id, 'return', 'again', order_id, 1 FROM points_ledger WHERE op = 'use'"
    " AND order_id NOT IN (SELECT order_id FROM points_ledger WHERE op = 'return')",
    "UPDATE promotion_uses SET returned_at = now() WHERE returned_at IS NULL",
    "UPDATE promotion_uses SET returned_at = NULL WHERE returned_at IS NOT NULL",
    "UPDATE promotion_uses SET user_id = 'u9'",
    "UPDATE promotion_uses SET promo_id = 'club'",
    "DELETE FROM promotion_uses",
    "UPDATE order_items SET quota_units = quota_units + 1 WHERE quota_units > 0",
    "UPDATE orders SET quota_units = quota_units + 1 WHERE quota_units > 0",
]
REST = [
    ("audit_benefits.earned", "DELETE FROM points_ledger WHERE op = 'award'"),
    *(
        (
            "audit_benefits.earned",
            f"UPDATE points_ledger SET {gift} = {gift} + 1 WHERE op = 'award'"
            " AND order_id IN (SELECT order_id FROM points_ledger WHERE op = 'revoke')",
        )
        for gift in ("points", "growth")
    ),
    *(
        ("audit_benefits.earned", f"UPDATE points_ledger SET {change} WHERE op = '{op}'")
        for change, op in (
            ("points = points - 1", "award"),
            ("growth = growth + 1", "award"),
            ("growth = growth - 1", "award"),
            ("points = points + 99", "revoke"),
            ("points = points - 1", "revoke"),
            ("points = points + 1", "restore"),
            ("growth = growth + 99", "revoke"),
        )
    ),
    ("audit_benefits.earned", "UPDATE points_ledger SET user_id = 'u9' WHERE op IN ('award', 'revoke')"),
    (
        "audit_benefits.earned",
        "INSERT INTO points_ledger SELECT user_id, op, 'again', order_id, 0 FROM points_ledger WHERE op = 'award'",
    ),
    ("audit_benefits.earned", "UPDATE orders SET state = 'delivered' WHERE state = 'completed'"),
    ("audit_benefits.limits", "UPDATE promotion_quotas SET quantity = sold - 1"),
    ("audit_benefits.limits", "UPDATE promotion_uses SET returned_at = NULL"),
    ("audit_benefits.limits", "UPDATE promotion_uses SET units = units + 1"),
    ("audit.snapshots", "DELETE FROM order_snapshots WHERE type = 1"),
    ("audit.snapshots", f"DELETE FROM order_items WHERE order_id IN (SELECT id FROM orders WHERE {CHILD})"),
    ("audit.snapshots", "UPDATE order_items SET line_no = line_no + 1"),
    ("audit.snapshots", f"INSERT INTO order_snapshots SELECT id, 1, '{{}}' FROM orders WHERE {CHILD}"),
    ("audit.snapshots", "INSERT INTO order_snapshots SELECT id, 2, '{\"payable\": 1}' FROM orders"),
    ("audit.outcomes", "DELETE FROM orders WHERE kind = 'split_parent'"),
    ("audit.outcomes", "DELETE FROM commands c USING orders o WHERE o.request_id = c.request_id AND o.state = 'split'"),
    ("audit.deadlines", "DELETE FROM timers t USING orders o WHERE o.id = t.key AND o.kind = 'split_parent'"),
    ("audit.deadlines", "DELETE FROM timers WHERE kind = 'receipt'"),
    (
        "audit.timers",
        "INSERT INTO timers SELECT 'payment', id, expire_at, expire_at FROM orders"
        f" WHERE {CHILD} AND state = 'awaiting_payment'",
    ),
    ("audit.timers", "INSERT INTO timers VALUES ('cancelling', 42, now() - interval '2 min', now())"),
    ("audit.deadlines", "DELETE FROM timers WHERE kind = 'cancelling'"),
    ("audit_fulfilments.waybills", "UPDATE waybills SET tracking_no = 'another' WHERE state = 'booked'"),
    ("audit_fulfilments.waybills", "UPDATE waybills SET state = 'requested' WHERE state = 'refused'"),
    ("audit_fulfilments.waybills", "UPDATE waybills SET state = 'booked' WHERE state = 'unused'"),
    ("audit_fulfilments.waybills", "DELETE FROM timers WHERE kind = 'waybill'"),
    ("audit.timers", "UPDATE waybills SET state = 'cancelled' WHERE state = 'unused'"),
    ("audit_fulfilments.histories", "UPDATE fulfilments SET number = 2 WHERE state = 'packed'"),
    ("audit_fulfilments.histories", "UPDATE fulfilments SET state = 'packed' WHERE state = 'accepted'"),
    ("audit.timers", "INSERT INTO timers VALUES ('attempt', 42, now(), now() - interval '2 min')"),
    (
        "audit.timers",
        "INSERT INTO timers SELECT 'refund', id, now(), now() - interval '2 min'"
        " FROM refunds WHERE state = 'succeeded'",
    ),
    (
        "audit.finished_timers",
        "INSERT INTO timers SELECT 'receipt', id, now(), now() FROM orders WHERE state = 'split'",
    ),
]
MORE = [
    *(("audit.exchanges", sql) for sql in EXCHANGES),
    *SHORTAGES,
    *SCHEDULES,
    *(("audit.holds", sql) for sql in HOLDS),
    *OTHERS,
    *MONEY,
    *REST,
    *PAYMENTS,
    *AUTHORIZATIONS,
    *ORDER_NUMBERS,
    *PRICES_AND_LATE_PAYMENTS,
    *CASES,
    *NOTIFICATIONS,
    *GROUPS,
    *CLAUSES,
    *(("audit.families", sql) for sql in FAMILIES),
    *(("audit.line_totals", sql) for sql in TOTALS),
    *(("audit.stock_follows_orders", sql) for sql in HOLDERS),
    *(("audit_benefits.coupons", sql) for sql in COUPONS),
    *(("audit_benefits.points", sql) for sql in POINTS),
    *(("audit_benefits.follow_orders", sql) for sql in FOLLOW),
]
"""(statement, SQL): each breaks its invariant alone."""
