"""Builders of the messages that hold and release orders."""

from messages.base import Actor
from messages.holds import OrderHold, OrderRelease
from tests.handlers.builders import OPERATOR


def hold(order_id: int, request_id: str = "h1", *, actor: Actor = OPERATOR, code: str = "FRAUD") -> OrderHold:
    return OrderHold(request_id=request_id, actor=actor, order_id=order_id, reason_code=code, reason="ask Wang Fang")


def release(order_id: int, request_id: str = "f1", hold_id: int | None = None) -> OrderRelease:
    return OrderRelease(
        request_id=request_id,
        actor=OPERATOR,
        order_id=order_id,
        hold_id=hold_id,
        reason_code="OK",
        reason="she is real",
    )
