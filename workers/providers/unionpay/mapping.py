"""What UnionPay's verified messages say."""

from dataclasses import replace
from typing import Literal

from workers.providers.parsing import FieldError
from workers.providers.port import Irrelevant, Paid, Refunded, Refused, Said, Unknown
from workers.providers.unionpay.wire import Message

DONE = frozenset({"00", "A6"})  # A6: success with a flaw
OPEN = frozenset({"03", "04", "05"})  # no answer from the bank, not known, accepted
UNSURE = OPEN | {"01", "02", "06", "11", "12", "34", "37", "39", "60", "99"}
"""Of a transaction: it may exist, or may later (11: our signature is not believed, as while our key is changed)."""
ABSENT = "34"  # UnionPay knows no such transaction


def said(message: Message) -> Said:
    """What a sound notification says; traceTime tells it from an answer, which somebody could send us again. Raises
    FieldError.
    """
    kind, code = message.code("txnType"), message.code("respCode")
    if message.has("origRespCode"):
        raise FieldError("is an answer, no notification")
    if kind == "04":
        return refunded(message, code)
    if kind != "01":
        return Irrelevant(f"txnType {kind}")
    paid = captured(message, code)  # a card that is refused is not the end: the buyer may take another
    return replace(paid, status="pending") if paid.status == "failed" else paid


def captured(message: Message, code: str) -> Paid:
    """A payment, of which `code` says how it ended. Raises FieldError."""
    status: Literal["captured", "failed", "pending"] = (
        "captured" if code in DONE else "pending" if code in OPEN else "failed"
    )
    return Paid(
        message.number("orderId"), message.number("queryId"), status, *_sum(message), message.traced(), _reason(code)
    )


def refunded(message: Message, code: str) -> Refunded:
    """A refund, of which `code` says how it ended. Raises FieldError."""
    status: Literal["succeeded", "failed", "processing"] = (
        "succeeded" if code in DONE else "processing" if code in OPEN else "failed"
    )
    return Refunded(message.number("orderId"), status, *_sum(message), message.traced(), _reason(code))


def no(answer: Message) -> Refused | Unknown | None:
    """What an answer says when it does not say yes."""
    code = answer.code("respCode")
    if code in DONE:
        return None
    if code in UNSURE:
        return Unknown(f"respCode {code}")
    return Refused(code, answer.text("respMsg", 1000)[:200] if answer.has("respMsg") else "")


def _sum(message: Message) -> tuple[int, str]:
    return message.minor_units(), message.currency()


def _reason(code: str) -> str | None:
    return None if code == "00" else code
