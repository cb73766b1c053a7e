"""Builders of the message that changes what an order costs."""

from typing import Any

from messages.adjustments import LineToAdjust, OrderAmountAdjust
from tests.handlers.builders import OPERATOR


def adjustment(
    order_id: int, request_id: str = "a1", *, lines: dict[int, int] | None = None, **changes: Any
) -> OrderAmountAdjust:
    """`lines` is line number -> discount."""
    fields: dict[str, Any] = {
        "request_id": request_id,
        "actor": OPERATOR,
        "order_id": order_id,
        "lines": tuple(LineToAdjust(line_no=no, discount=discount) for no, discount in (lines or {}).items()),
        "reason_code": "PRICE_MATCH",
        "reason": "promised to Wang Fang by phone",
    }
    return OrderAmountAdjust(**fields | changes)
