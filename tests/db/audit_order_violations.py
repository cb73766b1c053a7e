"""SQL that breaks what the audit says of holds, shortages, scheduled cancellations and exchange orders."""

HOLDS = (
    "UPDATE orders SET held = true WHERE id = (SELECT min(id) FROM orders WHERE state = 'paid' AND NOT held)",
    "UPDATE orders SET held = false WHERE held AND state = 'awaiting_payment'",
    "UPDATE order_holds SET released_at = NULL, released_by = NULL WHERE released_at IS NOT NULL AND order_id NOT IN"
    " (SELECT id FROM orders WHERE held)",
    "UPDATE orders SET state = 'completed' WHERE held AND state = 'paid'",
    "UPDATE order_holds SET held_since = placed_at + interval '1 s'",
)
SHORTAGES = (
    ("audit.deadlines", "DELETE FROM timers WHERE kind = 'shortage'"),
    (
        "audit.timers",
        "UPDATE orders SET state = 'cancelled' WHERE id IN (SELECT key FROM timers WHERE kind = 'shortage')",
    ),
    ("audit.timers", "UPDATE timers SET due_at = now() - interval '9 min' WHERE kind = 'shortage'"),
)
_SCHEDULED = (
    "INSERT INTO scheduled_cancellations SELECT min(id), now() + interval '1 h', 'user', 'u1', true, NULL, now()"
    " FROM orders WHERE state = 'awaiting_payment'"
)
_ITS_TIMER = "INSERT INTO timers SELECT 'cancellation', order_id, at, at FROM scheduled_cancellations"
SCHEDULES = (
    (
        "audit.deadlines",
        "INSERT INTO captcha_challenges SELECT min(id), now(), now() + interval '1 h', 0 FROM orders"
        " WHERE state = 'paid'",
    ),
    ("audit.deadlines", _SCHEDULED),
    ("audit.timers", "INSERT INTO timers VALUES ('cancellation', 42, now() + interval '1 h', now())"),
    ("audit.timers", f"{_SCHEDULED}; {_ITS_TIMER}; UPDATE scheduled_cancellations SET at = at + interval '1 h'"),
    (
        "audit.timers",
        f"{_SCHEDULED}; {_ITS_TIMER}; UPDATE timers SET due_at = now() - interval '9 min' WHERE kind = 'cancellation';"
        " UPDATE scheduled_cancellations SET (scheduled_at, at) = (now() - interval '1 h', now() - interval '9 min')",
    ),
)
EXCHANGES = (
    "UPDATE exchange_orders SET value_amount = value_amount - 1",
    "UPDATE exchange_orders SET value_amount = value_amount + 2, price_amount = price_amount + 2",
    "UPDATE orders SET parent_id = root_id WHERE kind = 'exchange' AND state = 'delivered'",
    "UPDATE orders SET delivered_at = NULL WHERE kind = 'exchange' AND state = 'delivered'",
    "UPDATE after_sales SET state = 'refunding' WHERE state = 'completed' AND type = 'exchange'",
    "UPDATE after_sales SET state = 'closed', completed_at = now() - interval '9 min', requested_at = now() - interval"
    " '1 h', processed_at = NULL WHERE state = 'awaiting_return' AND type = 'exchange'",
)
"""SQL that breaks audit.exchanges."""
