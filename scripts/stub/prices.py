"""What an order of a stub costs line by line, made from what its buyer expects to pay."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from workers.domain.pricing.allocation import allocate

TERMS = ("promotion", "coupon", "points", "shipping", "tax", "adjustment")


def priced(order: Mapping[str, Any], prices: Mapping[str, int]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the lines and the amounts of an order.create, which add up to `expected_pay_amount`.

    A unit costs what `prices` says, or what the line expects; the units of all other SKUs cost the same, rounded up.
    What the order is to cost below the sum is a discount, and what is above it shipping, both shared out among the
    lines as oms does: by largest remainder.
    """
    payable = max(0, order["expected_pay_amount"])
    wanted = order.get("items") or [{"sku_id": "from-the-draft", "qty": 1}]
    known = [prices.get(item["sku_id"], item.get("expected_unit_price")) for item in wanted]
    rest = payable - sum(one * item["qty"] for one, item in zip(known, wanted, strict=True) if one is not None)
    units = sum(item["qty"] for one, item in zip(known, wanted, strict=True) if one is None)
    each = [-(-max(0, rest) // units) if one is None else max(0, one) for one in known]
    origins = [one * item["qty"] for one, item in zip(each, wanted, strict=True)]
    off, fee = max(0, sum(origins) - payable), max(0, payable - sum(origins))
    reduced, charged = allocate(off, origins), allocate(fee, origins)
    lines = [
        {"line_no": i + 1, "sku_id": item["sku_id"], "name": item["sku_id"], "qty": item["qty"]}
        | {"unit_price": each[i], "payable": origins[i] - reduced[i] + charged[i]}
        for i, item in enumerate(wanted)
    ]
    discount = "coupon" if order.get("coupon_id") else "points" if order.get("use_points") else "promotion"
    terms = Counter({discount: off, "shipping": fee})
    amounts = {"currency": order["currency"], "origin": sum(origins), "payable": payable}
    return lines, amounts | {name: terms[name] for name in TERMS}
