"""Translates WeChat Pay's fields about payments and refunds into the types of the port. Raises FieldError."""

from datetime import datetime

from workers.providers.parsing import FieldError, Fields
from workers.providers.port import PaymentOrder, PaymentReport, RefundReport, ReportedPayment, ReportedRefund

STATES = {
    "SUCCESS": ReportedPayment.CAPTURED,
    "REFUND": ReportedPayment.CAPTURED,  # captured, and some of it was refunded later
    "NOTPAY": ReportedPayment.PENDING,
    "USERPAYING": ReportedPayment.PENDING,
    "ACCEPT": ReportedPayment.PENDING,
    "CLOSED": ReportedPayment.CLOSED,
    "REVOKED": ReportedPayment.CLOSED,
    "PAYERROR": ReportedPayment.FAILED,
}
REFUND_STATES = {
    "SUCCESS": ReportedRefund.SUCCEEDED,
    "PROCESSING": ReportedRefund.PROCESSING,
    "CLOSED": ReportedRefund.FAILED,
    "ABNORMAL": ReportedRefund.FAILED,  # the buyer's card is gone: an operator resolves it on the merchant platform
}
EVENTS: dict[str, str | None] = {
    "TRANSACTION.SUCCESS": None,
    "REFUND.SUCCESS": "SUCCESS",
    "REFUND.ABNORMAL": "ABNORMAL",
    "REFUND.CLOSED": "CLOSED",
}
"""Kind of notification -> the state of the refund that it announces; None means that it is about a payment."""

REFUND_NOT_FOUND = frozenset({"RESOURCE_NOT_EXISTS"})
AMBIGUOUS = frozenset(
    {
        "SYSTEMERROR",
        "SYSTEM_ERROR",
        "BANKERROR",
        "BANK_ERROR",
        "FREQUENCY_LIMITED",
        "FREQUENCY_LIMIT_EXCEED",
        "RATELIMIT_EXCEED",
        "RATELIMIT_EXCEEDED",
        "RULELIMIT",
        "RULE_LIMIT",
        "USERPAYING",
        "USER_PAYING",
        "SIGN_ERROR",
    }
)
"""Codes for too often, too early, or a signature that WeChat Pay does not believe.

The same request may get another response later.
"""


def read_payment(fields: Fields, payment: PaymentOrder | None, otherwise_at: datetime) -> PaymentReport:
    """Read a transaction.

    A transaction that is not paid may name neither amount nor time: the report then has the payment's own amount and
    `otherwise_at`.
    """
    state = fields.text("trade_state")
    status, number = STATES.get(state), fields.number("out_trade_no")
    if status is None:
        raise FieldError("trade_state is none that is documented")
    if status != ReportedPayment.CAPTURED and payment is not None:
        trade_no = fields.number("transaction_id") if fields.has("transaction_id") else number
        return PaymentReport(number, trade_no, status, payment.amount, payment.currency, otherwise_at, state)
    amount, when = fields.part("amount"), fields.moment("success_time")
    trade_no = fields.number("transaction_id")
    return PaymentReport(number, trade_no, status, amount.whole("total"), _currency(amount), when)


def read_refund(fields: Fields, status_name: str, otherwise_at: datetime) -> RefundReport:
    """Read a refund. Its state is in the field `status_name`; one that did not succeed has the time `otherwise_at`."""
    state, amount = fields.text(status_name), fields.part("amount")
    if state not in REFUND_STATES:
        raise FieldError(f"{status_name} is none that is documented")
    status = REFUND_STATES[state]
    when = fields.moment("success_time") if status == ReportedRefund.SUCCEEDED else otherwise_at
    reason = state if status == ReportedRefund.FAILED else None
    refund_no = fields.number("out_refund_no")
    capture = fields.number("transaction_id") if fields.has("transaction_id") else None
    return RefundReport(refund_no, status, amount.whole("refund"), _currency(amount), when, reason, trade_no=capture)


def _currency(amount: Fields) -> str:
    """The currency. Notifications about refunds name none: domestic refunds are in yuan."""
    return amount.text("currency", length_max=3) if amount.has("currency") else "CNY"
