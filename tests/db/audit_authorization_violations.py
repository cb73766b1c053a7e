"""SQL that breaks the invariants of authorised payments, each by one change."""

_BOOKS = [
    "UPDATE payment_facts SET amount = 1008 WHERE trade_no = 'taken-2'",
    "UPDATE payment_facts SET amount = amount - 1 WHERE trade_no = 'taken-2'",
    "DELETE FROM payment_facts WHERE trade_no = 'taken-2'",
    "UPDATE refunds SET amount = 9999 WHERE state = 'released' AND trade_no = 'auth-3'",
    "UPDATE refunds SET state = 'deferred' WHERE state = 'released' AND trade_no = 'auth-3'",
    "UPDATE payment_authorizations SET state = 'capturing' WHERE authorization_no = 'auth-1'",
    "UPDATE payment_authorizations SET state = 'voiding' WHERE authorization_no = 'auth-1'",
    "UPDATE payment_authorizations SET trade_no = 'taken-2' WHERE authorization_no = 'auth-1'",
    "UPDATE payment_authorizations SET state = 'authorized' WHERE authorization_no = 'auth-3'",
    "UPDATE payment_authorizations SET state = 'voided' WHERE authorization_no = 'auth-2'",
    "UPDATE payment_attempts SET state = 'authorized' WHERE trade_no = 'taken-2'",
    "DELETE FROM payment_authorizations WHERE authorization_no = 'auth-1'",
]
_GOODS = [
    *(
        f"UPDATE payment_authorizations SET state = '{state}' WHERE authorization_no = 'auth-2'"
        for state in ("authorized", "failed", "voiding", "voided")
    ),
    "UPDATE payment_authorizations SET state = 'failed', not_taken_at = now() WHERE authorization_no = 'auth-2'",
]
_TIMERS = [
    "INSERT INTO timers SELECT 'authorization', attempt_id, now(), now() FROM payment_authorizations"
    f" WHERE state = '{state}'"
    for state in ("captured", "voided")
]
AUTHORIZATIONS = [
    *(("audit_authorizations.books", sql) for sql in _BOOKS),
    *(("audit_authorizations.goods", sql) for sql in _GOODS),
    *(("audit.timers", sql) for sql in _TIMERS),
    ("audit.paid_orders", "UPDATE payment_authorizations SET verdict = 'late' WHERE authorization_no = 'auth-1'"),
    ("audit.paid_orders", "UPDATE refunds SET state = 'failed' WHERE trade_no = 'taken-2'"),
]
"""(statement, SQL): each breaks its invariant."""
FIRST = {
    "audit_authorizations.books": (
        "UPDATE payment_authorizations SET amount = 1 WHERE authorization_no = 'auth-3'",
        r"^\d+ kept voided, no capture$",
    ),
    "audit_authorizations.goods": (
        "UPDATE payment_authorizations SET state = 'authorized' WHERE authorization_no = 'auth-2'",
        r"^\d+ shipped, authorized$",
    ),
    "audit_authorizations.watched": ("DELETE FROM timers WHERE kind = 'authorization'", r"^\d+ authorized$"),
    "audit_authorizations.ended": (
        "UPDATE payment_authorizations SET state = 'failed' WHERE authorization_no = 'auth-3'",
        r"^\d+ failed for \d+ cancelled$",
    ),
}
"""Statement -> the SQL that breaks its invariant, and a pattern of the first id reported."""
