"""One basket as a purchase: what it must cost, and the messages that preview and order it."""

import random
import zlib
from dataclasses import dataclass, replace
from typing import Any

from scripts.amqp_client import OutgoingMessage
from scripts.demo.baskets import Basket, Product
from scripts.demo.catalogue_messages import IN_GROUPS, TRUSTING
from scripts.demo.checkout import PriceBreakdown, Rules, price_breakdown

COUNTRY = "US"
HOMES = ({"province": "OH", "city": "Cincinnati", "postcode": "45202"},) * 2 + (
    {"province": "CA", "city": "Fresno", "postcode": "93650"},
)
"""A third of the households live in the west."""
MOVED = "moved"
"""The household whose address everybody has who moves."""


@dataclass(frozen=True)
class Purchase:
    """What a buyer orders, with which coupon and points, and what it must cost by the shop's rules."""

    basket: Basket
    lines: list[tuple[Product, int]]
    due: PriceBreakdown
    channel: str
    coupon_id: str | None = None
    points: int = 0

    @property
    def user(self) -> str:
        """The user who buys."""
        return self.basket.user

    @property
    def items(self) -> list[dict[str, Any]]:
        """The lines as the wire has them."""
        return [{"sku_id": product.sku_id, "qty": units} for product, units in self.lines]

    @property
    def amounts(self) -> dict[str, Any]:
        """The amounts that the order system must compute."""
        due = self.due
        return {
            "currency": self.basket.currency,
            "origin": due.origin,
            "promotion": due.promotion,
            "coupon": due.coupon,
            "points": due.points_amount,
            "shipping": due.shipping,
            "tax": 0,
            "adjustment": 0,
            "payable": due.payable,
        }

    def without_benefits(self, rules: Rules, coupon_id: str) -> "Purchase":
        """Return the same purchase without points and with this coupon, at the price without benefits."""
        return replace(self, due=price_breakdown(self.lines, rules), coupon_id=coupon_id, points=0)

    def order_preview(self) -> dict[str, Any]:
        """Return the body of an order.preview."""
        return self._about() | {"country": COUNTRY}

    def order_create(self, request_id: str, **wrong: Any) -> OutgoingMessage:
        """Return the order.create; `wrong` replaces some of its fields."""
        body = {
            "request_id": request_id,
            "source": "cart",
            "business_type": TRUSTING if zlib.crc32(request_id.encode()) % 2 else "normal",
            "address": address(self.basket.household),
            "expected_pay_amount": self.due.payable,
        }
        return OutgoingMessage("order.create.v1", body | self._about() | wrong)

    def _about(self) -> dict[str, Any]:
        group_id = self.basket.group_id
        return {
            "actor": {"type": "user", "id": self.user},
            "user_id": self.user,
            "channel": self.channel,
            "currency": self.basket.currency,
            "items": self.items,
            "coupon_id": self.coupon_id,
            "use_points": self.points,
        } | ({} if group_id is None else {"business_type": IN_GROUPS, "group_id": group_id})


def purchase(
    basket: Basket, lines: list[tuple[Product, int]], rules: Rules, coupon_id: str | None, points: int
) -> Purchase:
    """Return the purchase of a basket. Points that take nothing off are not used."""
    due = price_breakdown(lines, rules, basket.coupon if coupon_id else None, points)
    channel = random.choice(["pc", "mobile", "api"])
    return Purchase(basket, lines, due, channel, coupon_id, points if due.points else 0)


def household_of(user: str) -> str:
    """Return the household of a user (see Basket.user)."""
    return user.removeprefix("household-").rsplit("-week-", 1)[0]


def address(household: str) -> dict[str, str]:
    """Return an address that does not exist."""
    chance = zlib.crc32(household.encode())
    return {
        "receiver": f"Household {household}",
        "phone": f"+1 555 010 {chance % 10_000:04d}",
        "country": COUNTRY,
        "detail": f"{household} Example Street",
    } | HOMES[chance % len(HOMES)]
