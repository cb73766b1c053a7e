"""What Alipay says of payments and refunds, in the words of the port."""

from datetime import datetime, timedelta
from typing import Literal

from workers.providers.parsing import FieldError, Fields
from workers.providers.port import Attempt, Paid, RefundAsk, Refunded, Refused, Unknown

CURRENCY = "CNY"
STATES: dict[str, Literal["captured", "closed", "pending"]] = {
    "WAIT_BUYER_PAY": "pending",
    "TRADE_SUCCESS": "captured",
    "TRADE_FINISHED": "captured",  # and too late for a refund
    "TRADE_CLOSED": "closed",  # never paid, or paid and given back whole
}
REFUND_SHOWS_AFTER = timedelta(seconds=10)
"""Asked earlier, a refund that succeeds may not be found yet."""


def notified(said: Fields) -> Paid | Refunded:
    """A notification about a trade. Raises FieldError.

    A refund is told by gmt_refund and refund_fee, whatever the trade's state. refund_fee is the sum of all refunds of
    the trade so far, so how much went back under this number is for the query to say.
    """
    number, trade_no = said.number("out_trade_no"), said.number("trade_no")
    if said.has("gmt_refund") or said.excerpt("refund_fee") not in ("", "0", "0.00"):
        refund_no = said.number("out_biz_no") if said.has("out_biz_no") else number
        when = said.beijing_moment("gmt_refund" if said.has("gmt_refund") else "notify_time")
        so_far = said.amount("refund_fee", CURRENCY)
        return Refunded(refund_no, "processing", so_far, CURRENCY, when)
    status = _status(said)
    name = {"captured": "gmt_payment", "closed": "gmt_close"}.get(status, "gmt_create")
    when = said.beijing_moment(name if said.has(name) else "notify_time")
    return Paid(number, trade_no, status, said.amount("total_amount", CURRENCY), CURRENCY, when)


def queried(said: Fields, attempt: Attempt, at: datetime) -> Paid:
    """The answer about a trade. Raises FieldError."""
    status = _status(said)
    if said.has("send_pay_date"):
        status = "captured"  # also where it was given back whole since and the trade is closed by that
    when = said.beijing_moment("send_pay_date") if status == "captured" else at
    amount = said.amount("total_amount", CURRENCY)
    return Paid(said.number("out_trade_no"), said.number("trade_no"), status, amount, attempt.currency, when)


def _status(said: Fields) -> Literal["captured", "closed", "pending"]:
    status = STATES.get(said.text("trade_status"))
    if status is None:
        raise FieldError("trade_status is none that is documented")
    return status


def refunded(said: Fields, ask: RefundAsk, at: datetime) -> Refunded | Unknown:
    """The answer to a refund: money moved, or the query knows whether it had moved before. Raises FieldError."""
    if said.text("trade_no") != ask.trade_no:
        return Unknown("it answers about another trade")
    if said.text("fund_change") != "Y":
        return Unknown("no money moved this time")
    if not ask.amount <= said.amount("refund_fee", CURRENCY) <= ask.total:
        return Unknown("refund_fee, the sum of all refunds, does not hold this one")
    when = said.beijing_moment("gmt_refund_pay") if said.has("gmt_refund_pay") else at
    return Refunded(ask.refund_no, "succeeded", ask.amount, CURRENCY, when)


def refund_found(said: Fields, ask: RefundAsk, at: datetime) -> Refunded | Refused | Unknown:
    """The answer to a question about a refund. Raises FieldError."""
    if not said.has("refund_status") and not said.has("refund_amount"):
        early = at - ask.requested_at < REFUND_SHOWS_AFTER
        return Unknown("too early to ask") if early else Refused("REFUND_NOT_EXIST", "there is no such refund")
    if said.text("refund_status") != "REFUND_SUCCESS":
        return Unknown("refund_status is none that is documented")
    if said.text("out_request_no") != ask.refund_no or said.amount("refund_amount", CURRENCY) != ask.amount:
        return Unknown("it answers about another refund")
    when = said.beijing_moment("gmt_refund_pay") if said.has("gmt_refund_pay") else at
    return Refunded(ask.refund_no, "succeeded", ask.amount, CURRENCY, when)
