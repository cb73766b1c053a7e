"""SQL that breaks the invariants of payments through providers, each by one change."""

ATTEMPTS = [
    ("captures", "UPDATE payment_attempts SET trade_no = 'other' WHERE trade_no = 'ok-1'"),
    ("captures", "UPDATE payment_attempts SET trade_no = NULL WHERE trade_no = 'ok-1'"),
    ("captures", "DELETE FROM payment_facts WHERE trade_no = 'ok-2'"),
    ("captures", "UPDATE payment_facts SET kind = 'failed' WHERE trade_no = 'ok-2'"),
    ("captures", "UPDATE payment_facts SET provider = 'wechat' WHERE trade_no = 'ok-2'"),
    ("captures", "UPDATE payment_facts SET intent_id = 7 WHERE trade_no = 'ok-3'"),
    ("captures", "UPDATE payment_facts SET order_id = 7 WHERE trade_no = 'ok-3'"),
    ("captures", "UPDATE payment_facts SET amount = amount + 1 WHERE trade_no = 'ok-4'"),
    ("captures", "UPDATE payment_facts SET currency = 'XXX' WHERE trade_no = 'ok-6'"),
    ("captures", "UPDATE payment_facts SET verdict = 'late' WHERE verdict = 'mismatch'"),
    ("captures", "UPDATE payment_facts SET verdict = 'mismatch' WHERE trade_no = 'ok-4'"),
    ("captures", "INSERT INTO payment_attempts SELECT * FROM payment_attempts WHERE trade_no = 'ok-1'"),
    ("captures", "UPDATE payment_facts SET kind = 'captured' WHERE trade_no LIKE 'no-%'"),
    *(
        ("attempts", f"DELETE FROM timers WHERE key IN (SELECT id FROM payment_attempts WHERE state = '{state}')")
        for state in ("requested", "unknown", "closing")
    ),
    ("attempts", "UPDATE payment_attempts SET state = 'created' WHERE state = 'requested'"),
    ("attempts", "UPDATE payment_attempts SET state = 'created', command = '{a,b}' WHERE state = 'requested'"),
    ("attempts", "UPDATE payment_attempts SET state = 'requested' WHERE state = 'closing'"),
    ("attempts", "UPDATE payment_attempts SET intent_id = 7 WHERE state = 'requested'"),
    (
        "attempts",
        "UPDATE orders SET state = 'cancelled'"
        " WHERE id IN (SELECT order_id FROM payment_attempts WHERE state = 'requested')",
    ),
    (
        "attempts",
        "INSERT INTO payment_intent_orders SELECT a.intent_id, f.order_id, 1 FROM payment_attempts a, payment_facts f"
        " WHERE a.state = 'requested' AND f.trade_no = 'ok-1'",
    ),
    ("refunds", "UPDATE refunds SET state = 'unknown' WHERE trade_no = 'late-1'"),
    ("refunds", "UPDATE refunds SET state = 'requested' WHERE trade_no = 'ok-2'"),
    ("replaced_refunds", "UPDATE refunds SET replaces = 'R404' WHERE trade_no = 'ok-2'"),
    ("replaced_refunds", "UPDATE refunds SET replaces = refund_no WHERE trade_no = 'late-1'"),
    ("lost_disputes", "UPDATE payment_disputes SET amount = 99 WHERE dispute_no = 'D2'"),
    ("lost_disputes", "DELETE FROM refunds WHERE cause LIKE 'reversal:alipay:D2%'"),
    ("dispute_timers", "UPDATE timers SET due_at = now() - interval '2 min' WHERE kind = 'dispute'"),
    ("won_disputes", "DELETE FROM payment_disputes WHERE state = 'won'"),
    ("refunds_ended", "UPDATE refunds SET state = 'submitted' WHERE trade_no = 'ok-2'"),
    ("statements", "DELETE FROM refunds WHERE trade_no = 'ok-2'"),
    ("statements", "DELETE FROM reconciliations WHERE rows = 1"),
    ("statements", "UPDATE reconciliation_rows SET provider = 'wechat'"),
    ("statements", "UPDATE reconciliation_rows SET kind = 'refund' WHERE kind = 'capture'"),
    ("statements", "UPDATE reconciliation_rows SET day = day + 1"),
    ("statements", "UPDATE reconciliations SET matched = rows + 1"),
    ("statements", "UPDATE reconciliations SET matched = -1"),
    ("statements", "UPDATE reconciliations SET differences = -1"),
]
TIMERS = [
    *(
        f"INSERT INTO timers SELECT 'attempt', id, now(), now() FROM payment_attempts WHERE state = '{state}'"
        for state in ("captured", "failed", "closed")
    ),
    "INSERT INTO timers VALUES ('attempt', 7, now(), now())",
    "INSERT INTO timers SELECT 'refund', id, now(), now() FROM refunds",
    "INSERT INTO timers VALUES ('refund', 7, now(), now())",
    "UPDATE timers SET kind = 'refund' WHERE kind = 'attempt'",
    *(
        f"INSERT INTO timers SELECT 'dispute', id, now(), now() FROM payment_disputes WHERE state = '{state}'"
        for state in ("won", "lost", "closed")
    ),
    "INSERT INTO timers VALUES ('dispute', 42, now(), now())",
    "UPDATE payment_disputes SET due_at = NULL WHERE state = 'opened'",
    "UPDATE payment_disputes SET state = 'lost' WHERE state = 'opened'",
]
FIRST_OF_EVIDENCE = {
    "audit_payments.given_evidence": ("UPDATE dispute_evidence SET state = 'sending'", r"^alipay:D\d 1$"),
}
PAYMENTS = [
    *((f"audit_payments.{statement}", sql) for statement, sql in ATTEMPTS),
    *(("audit.timers", sql) for sql in TIMERS),
    (
        "audit.outcomes",
        "UPDATE commands SET outcome_type = NULL WHERE type = 'payment.start.v1';"
        "DELETE FROM payment_attempts WHERE trade_no = 'ok-1'",
    ),
    (
        "audit.personal_data",
        "UPDATE payment_attempts SET details = convert_to('{\"client_ip\": 1}', 'utf8') WHERE trade_no = 'ok-1'",
    ),
    ("audit.finished_timers", "UPDATE timers SET kind = 'receipt', key = 7 WHERE kind = 'attempt'"),
]
"""(statement, SQL): each breaks its invariant alone."""
