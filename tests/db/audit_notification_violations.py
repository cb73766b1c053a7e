"""SQL that breaks the invariants of notifications to buyers, each by one change."""

FIRST_NOTIFIED = {
    "audit_notifications.causes": (
        "DELETE FROM operate_logs WHERE cur_state = 'paid'",
        r"^\d+ order_paid$",
    ),
    "audit_notifications.once": (
        "INSERT INTO buyer_notifications OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(n,"
        ' \'{"id": 7, "cause": "announced again"}\')).* FROM buyer_notifications n WHERE kind = \'refund_succeeded\'',
        r"^\d+ refund_succeeded by email$",
    ),
    "audit_notifications.waiting": (
        "UPDATE buyer_notifications SET wake_at = now() - interval '2 min' WHERE state = 'pending'",
        r"^\d+ \w+ by sms$",
    ),
    "audit_notifications.sent": (
        "UPDATE buyer_notifications SET wake_at = expires_at WHERE state = 'pending'",
        r"^\d+ \w+ by sms, pending$",
    ),
}
NOTIFICATIONS = [
    *[
        ("audit_notifications.causes", violation)
        for violation in (
            "UPDATE buyer_notifications SET user_id = 'u9' WHERE kind = 'order_paid'",
            "DELETE FROM orders WHERE id = (SELECT max(order_id) FROM buyer_notifications WHERE kind = 'order_paid')",
            "UPDATE refunds SET state = 'failed' WHERE refund_no IN"
            " (SELECT content ->> 'refund_no' FROM buyer_notifications)",
            "DELETE FROM after_sale_steps WHERE cur_state = 'rejected'",
            "UPDATE operate_logs SET version = version + 1000",
        )
    ],
    *[
        ("audit_notifications.once", violation)
        for violation in (
            "UPDATE buyer_notifications SET kind = 'order_paid', medium = 'email', order_id = 7, user_id = 'u1',"
            " content = '{}'",
        )
    ],
    (
        "audit_notifications.waiting",
        "UPDATE buyer_notifications SET wake_at = expires_at + interval '1 s' WHERE state = 'pending'",
    ),
    ("audit_notifications.sent", "UPDATE buyer_notifications SET attempts = 0 WHERE state = 'sent'"),
]
"""(statement, SQL): each breaks its invariant alone."""
