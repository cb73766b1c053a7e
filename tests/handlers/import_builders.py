"""Orders of another system, as order.import brings them. Change what you need."""

from datetime import UTC, datetime, timedelta
from typing import Any

from messages.order_imports import OrderImport
from tests.handlers.builders import ADDRESS, OPERATOR

BEGAN = datetime(2024, 11, 20, 10, tzinfo=UTC)
HOURS = {"created_at": 0, "paid_at": 1, "shipped_at": 24, "delivered_at": 48, "completed_at": 72}
TIMES = {name: BEGAN + timedelta(hours=hours) for name, hours in HOURS.items()}
TEA = {
    "sku_id": "old-tea",
    "name": "Tea",
    "qty": 2,
    "unit_price": 500,
    "promotion": 100,
    "shipping": 10,
    "payable": 910,
}
CUP = {"sku_id": "old-cup", "name": "Cup", "qty": 1, "unit_price": 300, "tax": 27, "payable": 327}


def back(refund_no: str, *lines: tuple[int, int, int], hours: int = 96) -> dict[str, Any]:
    """A refund of (line number, units, amount)."""
    parts = tuple({"line_no": number, "qty": qty, "amount": amount} for number, qty, amount in lines)
    return {"refund_no": refund_no, "refunded_at": BEGAN + timedelta(hours=hours), "lines": parts}


def imported(external_no: str = "A-1", **changes: Any) -> OrderImport:
    """A completed order of a tea and a cup, of which half the tea went back."""
    fields: dict[str, Any] = {
        "actor": OPERATOR.model_dump(),
        "source": "old-shop",
        "external_no": external_no,
        "user_id": "u1",
        "channel": "pc",
        "currency": "CNY",
        "state": "completed",
        "lines": (TEA, CUP),
        "payment": {"provider": "alipay", "trade_no": f"old-{external_no}", "amount": 1237},
        "refunds": (back("RF-1", (1, 1, 455)),),
        "address": ADDRESS.model_dump(),
        **TIMES,
    }
    return OrderImport.model_validate(fields | changes)


def cancelled(external_no: str = "A-2", **changes: Any) -> OrderImport:
    """A cancelled order of which all the money went back."""
    ended = {"shipped_at": None, "delivered_at": None, "completed_at": None, "cancelled_at": BEGAN + timedelta(hours=2)}
    everything = (back("RF-2", (1, 2, 910), (2, 1, 327)),)
    return imported(external_no, **({"state": "cancelled", "refunds": everything} | ended | changes))


def unpaid(external_no: str = "A-3") -> OrderImport:
    """A cancelled order that nobody paid."""
    return cancelled(external_no, paid_at=None, payment=None, refunds=())
