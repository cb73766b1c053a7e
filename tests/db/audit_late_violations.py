"""SQL that breaks what the audit says of adjusted prices, order numbers and orders that are reinstated."""

PRICES_AND_LATE_PAYMENTS = [
    *[
        ("audit.adjustments", violation)
        for violation in (
            "UPDATE orders SET adjustment_amount = 1, payable_amount = payable_amount - 1 WHERE adjustment_amount = 0",
            "DELETE FROM order_adjustments",
            "DELETE FROM order_adjustments WHERE line_no = 0",
            "DELETE FROM order_adjustments WHERE line_no > 0",
            "UPDATE order_adjustments SET shipping = shipping + 1 WHERE line_no > 0",
            "UPDATE order_adjustments SET line_no = 1 WHERE order_id IN (SELECT parent_id FROM orders)",
            "DELETE FROM operate_logs WHERE remark = 'amount_changed'",
            "UPDATE payment_intents SET amount = amount + 1 WHERE purpose = 'order'",
            "UPDATE payment_intents SET amount = amount + 1 WHERE purpose = 'merged'",
            "UPDATE payment_intent_orders SET amount = amount + 1",
        )
    ],
    *[
        ("audit.reinstatements", violation)
        for violation in (
            "UPDATE orders SET state = 'reinstating' WHERE state = 'cancelled'",
            "UPDATE payment_facts SET verdict = 'waiting' WHERE verdict = 'kept'",
            "UPDATE payment_facts SET verdict = 'waiting' WHERE trade_no = 'lacking';"
            "UPDATE orders SET state = 'reinstating' WHERE id ="
            " (SELECT order_id FROM payment_facts WHERE trade_no = 'lacking')",
        )
    ],
    ("audit.stock_holds", "UPDATE stock_holders SET turn = 0 WHERE turn = 1"),
    (
        "audit.stock_holds",
        "DELETE FROM stock_ledger WHERE op = 'release' AND holder_id IN"
        " (SELECT holder_id FROM stock_holders WHERE turn = 1)",
    ),
    ("audit.stock_holds", "UPDATE stock_ledger SET ref = '' WHERE ref = 'turn:1'"),
    ("audit.placing", "UPDATE orders SET state = 'reinstating' WHERE state = 'cancelled'"),
]

ORDER_NUMBERS = [
    (
        "audit.archive",
        "INSERT INTO archived_orders SELECT 7, parent_id, user_id, '{}' FROM orders WHERE parent_id > 0 LIMIT 1",
    ),
    (
        "audit.order_numbers",
        "UPDATE orders SET order_no = NULL WHERE state = 'completed';"
        "DELETE FROM order_numbers n USING orders o WHERE o.id = n.order_id AND o.order_no IS NULL",
    ),
    ("audit.order_numbers", "UPDATE issued_order_numbers SET user_id = 'u9'"),
    ("audit.order_numbers", "INSERT INTO order_numbers (order_no, order_id) VALUES ('n', 7)"),
    ("audit.order_numbers", "DELETE FROM order_numbers"),
    ("audit.order_numbers", "UPDATE issued_order_numbers SET order_id = NULL"),
    ("audit.order_numbers", "UPDATE issued_order_numbers SET order_id = 7"),
]
