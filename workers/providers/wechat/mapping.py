"""What WeChat Pay says of payments and refunds, in the words of the port."""

from datetime import datetime
from typing import Literal

from workers.providers.parsing import FieldError, Fields
from workers.providers.port import Attempt, Paid, Refunded

STATES: dict[str, Literal["captured", "failed", "closed", "pending"]] = {
    "SUCCESS": "captured",
    "REFUND": "captured",  # paid, and some of it went back since
    "NOTPAY": "pending",
    "USERPAYING": "pending",
    "ACCEPT": "pending",
    "CLOSED": "closed",
    "REVOKED": "closed",
    "PAYERROR": "failed",
}
REFUND_STATES: dict[str, Literal["succeeded", "failed", "processing"]] = {
    "SUCCESS": "succeeded",
    "PROCESSING": "processing",
    "CLOSED": "failed",
    "ABNORMAL": "failed",  # the buyer's card is gone: people settle it at the merchant platform
}
EVENTS: dict[str, str | None] = {
    "TRANSACTION.SUCCESS": None,
    "REFUND.SUCCESS": "SUCCESS",
    "REFUND.ABNORMAL": "ABNORMAL",
    "REFUND.CLOSED": "CLOSED",
}
"""What notifications are about, and the state of the refund that each of them announces."""


def paid(said: Fields, attempt: Attempt | None, otherwise_at: datetime) -> Paid:
    """A transaction. What is not paid may name no amount: then it is the attempt's. Raises FieldError."""
    state = said.text("trade_state")
    status, number = STATES.get(state), said.number("out_trade_no")
    if status is None:
        raise FieldError("trade_state is none that is documented")
    if status != "captured" and attempt is not None:
        trade_no = said.number("transaction_id") if said.has("transaction_id") else number
        return Paid(number, trade_no, status, attempt.amount, attempt.currency, otherwise_at, state)
    amount, when = said.part("amount"), said.moment("success_time")
    return Paid(number, said.number("transaction_id"), status, amount.whole("total"), _currency(amount), when)


def refunded(said: Fields, status: str, otherwise_at: datetime) -> Refunded:
    """A refund, whose state stands under `status`. Raises FieldError."""
    state, amount = said.text(status), said.part("amount")
    if state not in REFUND_STATES:
        raise FieldError(f"{status} is none that is documented")
    done = REFUND_STATES[state]
    when = said.moment("success_time") if done == "succeeded" else otherwise_at
    reason = state if done == "failed" else None
    return Refunded(said.number("out_refund_no"), done, amount.whole("refund"), _currency(amount), when, reason)


def _currency(amount: Fields) -> str:
    """Notifications about refunds name none: domestic ones are in yuan."""
    return amount.text("currency", length_max=3) if amount.has("currency") else "CNY"
