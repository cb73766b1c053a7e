"""Why a request for a refund or a case is refused whatever its order is, or a failed refund is not requested again."""

from collections.abc import Mapping
from typing import Any

from messages.after_sales import AfterSaleApply
from messages.base import FREE_TEXT_CHARS_MAX, as_reason_code
from messages.refunds import RefundRequest
from workers.domain.codes import Code
from workers.domain.refund_amounts import CaptureShare, RefundState
from workers.domain.refusal import Refusal
from workers.services import authorization
from workers.store.refunds import DrawnOn, RefundRow


def wrong(field: str, why: str) -> Refusal:
    """Return that the parameter `field` is missing or makes no sense. Its value, maybe personal data, is not shown."""
    return Refusal(Code.REFUND_PARAM_INVALID, why, {"field": field})


def wrong_text(field: str, text: str) -> Refusal | None:
    """Return why what somebody wrote is not kept, or None."""
    if not text.strip() or len(text) > FREE_TEXT_CHARS_MAX:
        return wrong(field, f"write 1 to {FREE_TEXT_CHARS_MAX} characters")
    return None


def wrong_application(body: AfterSaleApply) -> Refusal | None:
    """Return which parameter of an application is missing or makes no sense, or None (S0-30)."""
    if as_reason_code(body.reason_code) is None:
        return wrong("reason_code", "name a reason of the shop's list")
    if body.description is not None and (refusal := wrong_text("description", body.description)) is not None:
        return refusal
    for place, line in enumerate(body.lines):
        if line.qty < 1:
            return wrong(f"lines[{place}].qty", "name at least 1 unit")
    return None


def unfit(body: RefundRequest) -> Refusal | None:
    """Return why the request is refused whichever order it names, or None: a user sends it, or a parameter is wrong."""
    if body.actor.type == "user":
        return authorization.FORBIDDEN
    if body.reason is None:
        return wrong("reason", "say why the money goes back")
    if (refusal := wrong_text("reason", body.reason)) is not None:
        return refusal
    if body.amount < 1:
        return wrong("amount", "at least 1 minor unit goes back")
    if body.refund_no is not None and body.replaces is not None:
        why = "refund_no requests a failed refund again, replaces opens another in its place: name one of them"
        return wrong("replaces", why)
    return None


def not_again(body: RefundRequest, refund: RefundRow | None, shares: Mapping[DrawnOn, CaptureShare]) -> Refusal | None:
    """Return why this refund is not requested again, nor replaced by another, or None. No I/O."""
    if (refusal := unfit(body)) is not None:
        return refusal
    if refund is None or refund.order_id != body.order_id:
        return Refusal(Code.REFUND_NOT_ALLOWED, "the order has no refund of this number")
    if refund.state is not RefundState.FAILED:
        return Refusal(Code.REFUND_NOT_ALLOWED, "that refund has not failed")
    if refund.replaced_by is not None:
        details: dict[str, Any] = {"replaced_by": refund.replaced_by} if refund.replaced_by else {}
        return Refusal(Code.REFUND_NOT_ALLOWED, "another refund has taken its place: request that one again", details)
    return _not_so_much(body.amount, refund, shares[refund.draws_on].left)


def _not_so_much(amount: int, refund: RefundRow, left: int) -> Refusal | None:
    if refund.amount != amount:
        return Refusal(Code.REFUND_NOT_ALLOWED, f"that refund is of {refund.amount}", {"amount": refund.amount})
    if refund.amount > left:
        details = {"requested": refund.amount, "left": left, "currency": refund.currency}
        why = f"{left} can still go back: the rest was refunded otherwise"
        return Refusal(Code.PAY_REFUND_EXCEEDS, why, details)
    return None
