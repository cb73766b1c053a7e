"""SQL that breaks what the audit says of groups of buyers."""

_ENDED = "UPDATE buying_groups SET ended_at = now() - interval '9 min' WHERE state <> 'open'"
_OLD_ORDERS = "UPDATE orders SET updated_at = updated_at - interval '9 min'"
_BACK = (
    "UPDATE orders SET state = 'awaiting_payment', cancelled_at = NULL WHERE id IN"
    " (SELECT order_id FROM buying_group_orders m JOIN buying_groups g ON g.id = m.group_key WHERE g.state = 'failed')"
)
FIRST_OF_GROUPS = {
    "audit_groups.seats": ("UPDATE buying_groups SET size = 1 WHERE state = 'open'", "^open 2 of 1$"),
    "audit_groups.failed": (f"{_ENDED}; {_BACK}; {_OLD_ORDERS}", r"^failed \d+ awaiting_payment$"),
    "audit_groups.formed": (
        "UPDATE buying_groups SET state = 'formed', ended_at = now() - interval '9 min' WHERE state = 'open';"
        "UPDATE order_holds SET placed_at = placed_at - interval '9 min', held_since = held_since - interval '9 min'",
        r"^open \d+$",
    ),
    "audit_groups.open": ("DELETE FROM timers WHERE kind = 'group'", "^open "),
}
GROUPS = [
    (
        "audit_groups.seats",
        "UPDATE orders SET user_id = 'u8' WHERE user_id = 'u9'",
    ),
    (
        "audit_groups.open",
        "UPDATE buying_groups SET deadline = now() - interval '9 min' WHERE state = 'open';"
        "UPDATE timers SET due_at = now() - interval '9 min' WHERE kind = 'group'",
    ),
    (
        "audit_groups.open",
        "UPDATE order_holds SET released_at = now(), released_by = 'x' WHERE kind = 'group' AND released_at IS NULL",
    ),
    ("audit.timers", "INSERT INTO timers VALUES ('group', 4242, now() + interval '1 h', now())"),
]
