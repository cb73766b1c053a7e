"""The stock and the prices of a scenario: what a stub refuses because of them, as oms does."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from messages.orders import OrderCreate
from messages.stock import Shortage
from scripts.stub.scenario import Scenario
from workers.domain.codes import Code
from workers.domain.pricing.quote import QUANTITY_MAX


class StubShelf:
    """Units that are left of each SKU that the scenario counts, and which order has the others."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._left = Counter(scenario.stock)
        self._held: dict[str, Counter[str]] = {}

    def follow(self, scenario: Scenario) -> None:
        """Follow another scenario. What is left stays, unless the scenario counts otherwise."""
        if scenario.stock != self._scenario.stock:
            self._left = Counter(scenario.stock)
        self._scenario = scenario

    def refusal(self, body: OrderCreate) -> tuple[str, dict[str, Any]] | None:
        """Return the code and the details with which oms would refuse an order, or None."""
        if not body.items and body.draft_id is None:
            return Code.ORDER_ITEMS_EMPTY, {"field": "items"}
        for number, item in enumerate(body.items, start=1):
            if not 1 <= item.qty <= QUANTITY_MAX:
                details = {"field": f"items[{number - 1}].qty", "line_no": number, "sku_id": item.sku_id}
                return Code.ORDER_PARAM_INVALID, details
        if (wrong := self._wrong_price(body)) is not None:
            return Code.ORDER_PRICE_MISMATCH, {**wrong, "currency": body.currency}
        left = {sku_id: self._left[sku_id] for sku_id in self._scenario.stock}
        short = {sku_id: left[sku_id] for sku_id, qty in _units(body).items() if qty > left.get(sku_id, qty)}
        return (Code.INVENTORY_INSUFFICIENT, shortages(body, short)) if short else None

    def _wrong_price(self, body: OrderCreate) -> dict[str, str | int] | None:
        """What the order, or a unit, costs and what was expected.

        The whole counts only if each SKU has a price and nothing else makes it: no coupon and no points.
        """
        prices, units = self._scenario.price, _units(body)
        for number, item in enumerate(body.items, start=1):
            expected, got = prices.get(item.sku_id), item.expected_unit_price
            if expected is not None and got not in (None, expected):
                return {"line": number, "sku_id": item.sku_id, "expected": expected, "got": got}
        if not units or not units.keys() <= prices.keys() or body.coupon_id is not None or body.use_points:
            return None
        cost = sum(prices[sku_id] * qty for sku_id, qty in units.items())
        return None if cost == body.expected_pay_amount else {"expected": cost, "got": body.expected_pay_amount}

    def hold(self, order_id: str, body: OrderCreate) -> None:
        """Take the units of an order that is accepted."""
        self._held[order_id] = _units(body)
        self._left.subtract(self._held[order_id])

    def release(self, order_id: str) -> None:
        """Put the units of an order that has ended back."""
        self._left.update(self._held.pop(order_id, Counter()))


def shortages(body: OrderCreate, left: Mapping[str, int]) -> dict[str, Any]:
    """Return the details of an order that is short of these SKUs, of which so many are left."""
    places = {item.sku_id: item.warehouse or "main" for item in body.items}
    units = {sku_id: qty for sku_id, qty in _units(body).items() if sku_id in left}
    found = [Shortage(sku_id=key, warehouse=places[key], want=qty, have=left[key]) for key, qty in units.items()]
    return {"short": [shortage.model_dump() for shortage in found]}


def _units(body: OrderCreate) -> Counter[str]:
    units: Counter[str] = Counter()
    for item in body.items:
        units[item.sku_id] += item.qty
    return units
