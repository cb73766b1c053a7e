"""Source document S2: an Order with its items (S2-17). Its floats are decimals here (C-06)."""

from collections.abc import Mapping
from typing import Any

from workers.domain.money import render
from workers.views.status import Status
from workers.views.whole import Line, Whole

ADDRESS_PARTS = ("country", "province", "city", "area", "street", "detail", "postcode", "receiver", "phone")


def document(whole: Whole, status: Status) -> dict[str, Any]:
    """The order in S2's tables. `total_amount` is the sum of quantity x price (S2-04)."""
    head = whole.head
    return {
        "Order": {
            "id": head.id,
            "user_id": head.user_id,
            "status": status.name,
            "total_amount": render(head.origin_amount, head.currency),
            "shipping_address": _one_line(whole.address),
            "created_at": head.created_at,
            "updated_at": head.updated_at,
            "items": [_item(whole, line) for line in whole.lines],
        }
    }


def _item(whole: Whole, line: Line) -> dict[str, Any]:
    return {
        "id": line.line_no,
        "order_id": whole.head.id,
        "product_id": line.spu_id,
        "quantity": line.qty,
        "price": render(line.unit_price, whole.head.currency),
    }


def _one_line(address: Mapping[str, str]) -> str:
    return " ".join(address[part] for part in ADDRESS_PARTS if address.get(part))
